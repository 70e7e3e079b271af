SELECT
    publications.persona_id AS persona,
    count(*) AS posts,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM changed_at - decided_at)::double precision)
        AS "accepted to published",
    percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM changed_at - due_at)::double precision)
        AS "due to published",
    percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM changed_at - due_at)::double precision)
        AS "due to published, p95",
    count(*) FILTER (WHERE attempt > 1) AS "more than one call"
FROM publications
LEFT JOIN drafts ON drafts.draft_id = publications.draft_id
WHERE
    state = 'published'
    AND part = 0
    AND $__timeFilter(changed_at)
    AND publications.persona_id = ANY(ARRAY[${persona:sqlstring}]::text[])
GROUP BY publications.persona_id
ORDER BY publications.persona_id;
