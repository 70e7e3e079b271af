WITH decided AS (
    SELECT reasons, decided_at
    FROM drafts
    WHERE
        status IN ('accepted', 'rejected')
        AND $__timeFilter(decided_at)
        AND persona_id = ANY(ARRAY[${persona:sqlstring}]::text[])
)

SELECT
    regexp_replace(split_part(reason, ' draft ', 1), '( [0-9.]| of ).*$', '') AS reason,
    count(*) AS drafts,
    (count(*)::numeric / (SELECT count(*) FROM decided))::double precision AS share,
    max(decided_at) AS last
FROM decided
CROSS JOIN LATERAL unnest(reasons) AS reason
GROUP BY 1
ORDER BY drafts DESC, reason
LIMIT 50;
