SELECT
    platform,
    field,
    count(*) AS notices,
    max(received_at) AS last,
    max(extract(epoch FROM received_at - occurred_at))::double precision AS "longest delay"
FROM platform_notices
WHERE $__timeFilter(occurred_at)
GROUP BY platform, field
ORDER BY platform, field;
