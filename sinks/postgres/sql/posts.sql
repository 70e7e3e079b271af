-- name: stage
CREATE TEMPORARY TABLE IF NOT EXISTS staged_posts (LIKE posts) ON COMMIT DELETE ROWS;

-- name: clear
TRUNCATE staged_posts;

-- name: copy
COPY staged_posts (
    event_id, persona_id, post_id, draft_id, text, source, simulated, causation_id, occurred_at, source_partition,
    source_offset
) FROM STDIN (FORMAT csv);

-- name: merge
-- What is staged has one row an event_id, in its order: neighbours in the index are written together.
INSERT INTO posts (
    event_id, persona_id, post_id, draft_id, text, source, simulated, causation_id, occurred_at, source_partition,
    source_offset
)
SELECT
    event_id, persona_id, post_id, draft_id, text, source, simulated, causation_id, occurred_at, source_partition,
    source_offset
FROM staged_posts
ON CONFLICT (event_id) DO NOTHING;

-- name: settle
-- Run when the merge met ids it had: the first of them in the log stays.
UPDATE posts AS kept
SET
    persona_id = staged.persona_id,
    post_id = staged.post_id,
    draft_id = staged.draft_id,
    text = staged.text,
    source = staged.source,
    simulated = staged.simulated,
    causation_id = staged.causation_id,
    occurred_at = staged.occurred_at,
    source_partition = staged.source_partition,
    source_offset = staged.source_offset
FROM staged_posts AS staged
WHERE
    kept.event_id = staged.event_id
    AND (staged.source_partition, staged.source_offset) < (kept.source_partition, kept.source_offset);
