-- name: stage
CREATE TEMPORARY TABLE IF NOT EXISTS staged_requests (LIKE requests) ON COMMIT DELETE ROWS;

-- name: clear
TRUNCATE staged_requests;

-- name: copy
COPY staged_requests (
    event_id, persona_id, brief, language, draft_count, trend, deadline, causation_id, occurred_at, source_partition,
    source_offset
) FROM STDIN;

-- name: merge
-- Of records with one id the first in the log stays.
INSERT INTO requests AS kept (
    event_id, persona_id, brief, language, draft_count, trend, deadline, causation_id, occurred_at, source_partition,
    source_offset
)
SELECT DISTINCT ON (event_id)
    event_id, persona_id, brief, language, draft_count, trend, deadline, causation_id, occurred_at, source_partition,
    source_offset
FROM staged_requests
ORDER BY event_id, source_partition, source_offset
ON CONFLICT (event_id) DO UPDATE SET
    persona_id = EXCLUDED.persona_id,
    brief = EXCLUDED.brief,
    language = EXCLUDED.language,
    draft_count = EXCLUDED.draft_count,
    trend = EXCLUDED.trend,
    deadline = EXCLUDED.deadline,
    causation_id = EXCLUDED.causation_id,
    occurred_at = EXCLUDED.occurred_at,
    source_partition = EXCLUDED.source_partition,
    source_offset = EXCLUDED.source_offset
WHERE
    (EXCLUDED.source_partition, EXCLUDED.source_offset) < (kept.source_partition, kept.source_offset);
