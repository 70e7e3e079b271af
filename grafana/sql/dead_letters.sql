SELECT
    occurred_at AS "set aside",
    consumer,
    source_topic AS topic,
    source_partition AS "partition",
    source_offset AS "offset",
    error_class AS error,
    reason,
    coalesce(octet_length(record_key), 0) + coalesce(octet_length(record_value), 0) AS "bytes"
FROM dead_letters
WHERE $__timeFilter(occurred_at)
ORDER BY occurred_at DESC, event_id
LIMIT 50;
