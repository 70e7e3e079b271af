SELECT
    date_trunc('day', occurred_at, 'UTC') AS "time",
    CASE WHEN simulated THEN kind || ' (simulated)' ELSE kind END AS metric,
    sum(count)::bigint AS "count"
FROM engagement
WHERE $__timeFilter(occurred_at) AND persona_id = ANY(ARRAY[${persona:sqlstring}]::text[])
GROUP BY 1, 2
ORDER BY 1, 2;
