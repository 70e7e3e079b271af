SELECT
    date_trunc('hour', occurred_at) AS "time",
    step AS metric,
    sum(cost_micros)::double precision / 1000000 AS "dollars"
FROM costs
WHERE $__timeFilter(occurred_at) AND persona_id = ANY(ARRAY[${persona:sqlstring}]::text[])
GROUP BY 1, 2
HAVING sum(cost_micros) IS NOT NULL
ORDER BY 1, 2;
