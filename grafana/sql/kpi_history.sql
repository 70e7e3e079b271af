SELECT
    as_of AS "time",
    persona_id AS metric,
    {field}::double precision AS "{field}"
FROM kpi_updates
WHERE
    $__timeFilter(as_of)
    AND window_name = ANY(ARRAY[${window:sqlstring}]::text[])
    AND persona_id = ANY(ARRAY[${persona:sqlstring}]::text[])
    AND {field} IS NOT NULL
ORDER BY 1, 2;
