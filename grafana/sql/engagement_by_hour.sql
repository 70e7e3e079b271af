SELECT
    date_trunc('hour', occurred_at) AS "time",
    kind || ' from ' || source AS metric,
    sum(count) AS "count"
FROM engagement
WHERE $__timeFilter(occurred_at) AND persona_id = ANY(ARRAY[${persona:sqlstring}]::text[])
GROUP BY 1, 2
ORDER BY 1, 2;
