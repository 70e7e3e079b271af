SELECT
    state,
    platform,
    count(*) AS posts,
    count(*) FILTER (WHERE simulated) AS simulated,
    min(due_at) AS "first due",
    max(changed_at) AS "last change"
FROM publications
WHERE $__timeFilter(changed_at) AND persona_id = ANY(ARRAY[${persona:sqlstring}]::text[])
GROUP BY state, platform
ORDER BY array_position(
    ARRAY[
        'unconfirmed', 'publishing', 'container_created', 'scheduled', 'approved', 'proposed', 'failed', 'expired',
        'cancelled', 'published', 'deleted'
    ],
    state
), platform;
