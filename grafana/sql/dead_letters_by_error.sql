SELECT
    consumer,
    source_topic AS topic,
    error_class AS error,
    count(*) AS letters,
    max(occurred_at) AS last,
    (array_agg(reason ORDER BY occurred_at DESC))[1] AS "latest reason"
FROM dead_letters
WHERE $__timeFilter(occurred_at)
GROUP BY consumer, source_topic, error_class
ORDER BY letters DESC, consumer, topic, error
LIMIT 100;
