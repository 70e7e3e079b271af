-- name: stage
CREATE TEMPORARY TABLE IF NOT EXISTS staged_dead_letters (LIKE dead_letters) ON COMMIT DELETE ROWS;

-- name: clear
TRUNCATE staged_dead_letters;

-- name: copy
COPY staged_dead_letters (
    event_id, occurred_at, consumer, source_topic, source_partition, source_offset, source_timestamp, record_key,
    record_value, headers, error_class, reason, letter_partition, letter_offset
) FROM STDIN;

-- name: merge
-- Of letters with one id the first in the log stays.
INSERT INTO dead_letters AS kept (
    event_id, occurred_at, consumer, source_topic, source_partition, source_offset, source_timestamp, record_key,
    record_value, headers, error_class, reason, letter_partition, letter_offset
)
SELECT DISTINCT ON (event_id)
    event_id, occurred_at, consumer, source_topic, source_partition, source_offset, source_timestamp, record_key,
    record_value, headers, error_class, reason, letter_partition, letter_offset
FROM staged_dead_letters
ORDER BY event_id, letter_partition, letter_offset
ON CONFLICT (event_id) DO UPDATE SET
    occurred_at = EXCLUDED.occurred_at,
    consumer = EXCLUDED.consumer,
    source_topic = EXCLUDED.source_topic,
    source_partition = EXCLUDED.source_partition,
    source_offset = EXCLUDED.source_offset,
    source_timestamp = EXCLUDED.source_timestamp,
    record_key = EXCLUDED.record_key,
    record_value = EXCLUDED.record_value,
    headers = EXCLUDED.headers,
    error_class = EXCLUDED.error_class,
    reason = EXCLUDED.reason,
    letter_partition = EXCLUDED.letter_partition,
    letter_offset = EXCLUDED.letter_offset
WHERE
    (EXCLUDED.letter_partition, EXCLUDED.letter_offset) < (kept.letter_partition, kept.letter_offset);
