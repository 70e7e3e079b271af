SELECT
    state,
    reason,
    retryable,
    count(*) AS posts,
    max(changed_at) AS last
FROM publications
WHERE
    state NOT IN ('published', 'deleted')
    AND reason IS NOT NULL
    AND $__timeFilter(changed_at)
    AND persona_id = ANY(ARRAY[${persona:sqlstring}]::text[])
GROUP BY state, reason, retryable
ORDER BY posts DESC, state, reason
LIMIT 50;
