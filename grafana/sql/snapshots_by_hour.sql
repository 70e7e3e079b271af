SELECT
    date_trunc('hour', occurred_at) AS "time",
    platform
    || CASE WHEN post_id IS NULL THEN ' accounts' ELSE ' posts' END
    || CASE WHEN simulated THEN ' (simulated)' ELSE '' END AS metric,
    count(*) AS "count"
FROM insights_snapshots
WHERE $__timeFilter(occurred_at) AND persona_id = ANY(ARRAY[${persona:sqlstring}]::text[])
GROUP BY 1, 2
ORDER BY 1, 2;
