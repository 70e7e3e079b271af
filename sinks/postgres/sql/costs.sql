-- name: stage
CREATE TEMPORARY TABLE IF NOT EXISTS staged_costs (LIKE costs) ON COMMIT DELETE ROWS;

-- name: clear
TRUNCATE staged_costs;

-- name: known
-- Which of the staged ids have a row, and where in the log it came from: each is looked up in the primary key.
COPY (
    SELECT known.*
    FROM
        staged_ids,
        LATERAL (
            SELECT event_id, source_partition, source_offset
            FROM costs
            WHERE event_id = staged_ids.event_id
            OFFSET 0
        ) AS known
) TO STDOUT (FORMAT csv, HEADER);

-- name: copy
COPY costs (
    event_id, persona_id, request_id, step, model, prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens,
    cost_micros, latency_ms, causation_id, occurred_at, source_partition, source_offset
) FROM STDIN (FORMAT csv);

-- name: copy_staged
COPY staged_costs (
    event_id, persona_id, request_id, step, model, prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens,
    cost_micros, latency_ms, causation_id, occurred_at, source_partition, source_offset
) FROM STDIN (FORMAT csv);

-- name: replace
-- Of records with one id the first in the log stays. What a row was before is told.
COPY (
    WITH later AS MATERIALIZED (
        SELECT found.*
        FROM
            staged_costs AS staged,
            LATERAL (
                SELECT event_id
                FROM costs
                WHERE
                    event_id = staged.event_id
                    AND (staged.source_partition, staged.source_offset) < (source_partition, source_offset)
                FOR UPDATE
            ) AS found
    )
    UPDATE costs AS kept SET
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
    FROM later, staged_costs AS staged
    WHERE staged.event_id = later.event_id AND kept.event_id = later.event_id
    RETURNING later.event_id
) TO STDOUT (FORMAT csv, HEADER);
