-- name: stage
CREATE TEMPORARY TABLE IF NOT EXISTS staged_costs (LIKE costs) ON COMMIT DELETE ROWS;

-- name: clear
TRUNCATE staged_costs;

-- name: copy
COPY staged_costs (
    event_id, persona_id, request_id, step, model, prompt_tokens, cached_tokens, completion_tokens,
    reasoning_tokens, cost_micros, latency_ms, causation_id, occurred_at, source_partition, source_offset
) FROM STDIN (FORMAT csv);

-- name: merge
-- What is staged has one row an event_id, in its order: neighbours in the index are written together.
INSERT INTO costs (
    event_id, persona_id, request_id, step, model, prompt_tokens, cached_tokens, completion_tokens,
    reasoning_tokens, cost_micros, latency_ms, causation_id, occurred_at, source_partition, source_offset
)
SELECT
    event_id, persona_id, request_id, step, model, prompt_tokens, cached_tokens, completion_tokens,
    reasoning_tokens, cost_micros, latency_ms, causation_id, occurred_at, source_partition, source_offset
FROM staged_costs
ON CONFLICT (event_id) DO NOTHING;

-- name: settle
-- Run when the merge met ids it had: the first of them in the log stays.
UPDATE costs AS kept
SET
    persona_id = staged.persona_id,
    request_id = staged.request_id,
    step = staged.step,
    model = staged.model,
    prompt_tokens = staged.prompt_tokens,
    cached_tokens = staged.cached_tokens,
    completion_tokens = staged.completion_tokens,
    reasoning_tokens = staged.reasoning_tokens,
    cost_micros = staged.cost_micros,
    latency_ms = staged.latency_ms,
    causation_id = staged.causation_id,
    occurred_at = staged.occurred_at,
    source_partition = staged.source_partition,
    source_offset = staged.source_offset
FROM staged_costs AS staged
WHERE
    kept.event_id = staged.event_id
    AND (staged.source_partition, staged.source_offset) < (kept.source_partition, kept.source_offset);
