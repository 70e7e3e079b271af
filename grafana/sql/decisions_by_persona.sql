SELECT
    persona_id AS persona,
    count(*) AS decided,
    count(*) FILTER (WHERE status = 'accepted') AS accepted,
    count(*) FILTER (WHERE status = 'rejected') AS rejected,
    (count(*) FILTER (WHERE status = 'accepted')::numeric / count(*))::double precision AS acceptance,
    count(near_duplicate_id) AS "near duplicates",
    avg(score) AS "mean score"
FROM drafts
WHERE
    status IN ('accepted', 'rejected')
    AND $__timeFilter(decided_at)
    AND persona_id = ANY(ARRAY[${persona:sqlstring}]::text[])
GROUP BY persona_id
ORDER BY persona_id;
