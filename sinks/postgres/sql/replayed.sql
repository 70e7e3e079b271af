-- name: blocks
-- Blocks of a part of a log that a replay has written whole.
SELECT source_partition, block, rows
FROM replayed_blocks
WHERE topic = %(topic)s AND topic_id = %(topic_id)s AND block >= %(first)s AND block < %(end)s;

-- name: rows
-- How many rows there are of each block now.
SELECT source_partition, source_offset / %(block_offsets)s AS block, count(*) AS rows
FROM {table}
WHERE
    source_offset >= %(first)s * %(block_offsets)s::bigint
    AND source_offset < %(end)s * %(block_offsets)s::bigint
GROUP BY 1, 2;

-- name: remember
INSERT INTO replayed_blocks (topic, topic_id, source_partition, block, rows)
VALUES (%(topic)s, %(topic_id)s, %(partition)s, %(block)s, %(rows)s)
ON CONFLICT (topic, topic_id, source_partition, block) DO UPDATE SET rows = EXCLUDED.rows;
