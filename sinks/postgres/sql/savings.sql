-- name: stage
CREATE TEMPORARY TABLE IF NOT EXISTS staged_savings (LIKE savings) ON COMMIT DELETE ROWS;

-- name: clear
TRUNCATE staged_savings;

-- name: copy
COPY staged_savings (
    event_id, persona_id, request_id, step, measure, model, prompt_tokens, completion_tokens, saved_micros,
    causation_id, occurred_at, source_partition, source_offset
) FROM STDIN;

-- name: merge
-- Of records with one id the first in the log stays.
INSERT INTO savings AS kept (
    event_id, persona_id, request_id, step, measure, model, prompt_tokens, completion_tokens, saved_micros,
    causation_id, occurred_at, source_partition, source_offset
)
SELECT DISTINCT ON (event_id)
    event_id, persona_id, request_id, step, measure, model, prompt_tokens, completion_tokens, saved_micros,
    causation_id, occurred_at, source_partition, source_offset
FROM staged_savings
ORDER BY event_id, source_partition, source_offset
ON CONFLICT (event_id) DO UPDATE SET
    persona_id = EXCLUDED.persona_id,
    request_id = EXCLUDED.request_id,
    step = EXCLUDED.step,
    measure = EXCLUDED.measure,
    model = EXCLUDED.model,
    prompt_tokens = EXCLUDED.prompt_tokens,
    completion_tokens = EXCLUDED.completion_tokens,
    saved_micros = EXCLUDED.saved_micros,
    causation_id = EXCLUDED.causation_id,
    occurred_at = EXCLUDED.occurred_at,
    source_partition = EXCLUDED.source_partition,
    source_offset = EXCLUDED.source_offset
WHERE
    (EXCLUDED.source_partition, EXCLUDED.source_offset) < (kept.source_partition, kept.source_offset);
