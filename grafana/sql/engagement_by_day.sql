SELECT
    day::timestamp AT TIME ZONE 'UTC' AS "time",
    CASE WHEN simulated THEN kind || ' (simulated)' ELSE kind END AS metric,
    sum(count) AS "count"
FROM day_totals
WHERE $__timeFilter(day) AND persona_id = ANY(ARRAY[${persona:sqlstring}]::text[])
GROUP BY 1, 2
ORDER BY 1, 2;
