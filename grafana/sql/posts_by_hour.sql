SELECT
    date_trunc('hour', changed_at) AS "time",
    CASE WHEN simulated THEN platform || ' (simulated)' ELSE platform END AS metric,
    count(*) AS "count"
FROM publications
WHERE
    state = 'published'
    AND $__timeFilter(changed_at)
    AND persona_id = ANY(ARRAY[${persona:sqlstring}]::text[])
GROUP BY 1, 2
ORDER BY 1, 2;
