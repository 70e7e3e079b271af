-- name: stage
CREATE TEMPORARY TABLE IF NOT EXISTS staged_revenue (LIKE revenue) ON COMMIT DELETE ROWS;

-- name: clear
TRUNCATE staged_revenue;

-- name: known
-- Which of the staged ids have a row, and where in the log it came from: each is looked up in the primary key.
COPY (
    SELECT known.*
    FROM
        staged_ids,
        LATERAL (
            SELECT event_id, source_partition, source_offset
            FROM revenue
            WHERE event_id = staged_ids.event_id
            OFFSET 0
        ) AS known
) TO STDOUT (FORMAT csv, HEADER);

-- name: copy
COPY revenue (
    event_id, persona_id, kind, amount_micros, subscription_id, source, simulated, causation_id, occurred_at,
    source_partition, source_offset
) FROM STDIN (FORMAT csv);

-- name: copy_staged
COPY staged_revenue (
    event_id, persona_id, kind, amount_micros, subscription_id, source, simulated, causation_id, occurred_at,
    source_partition, source_offset
) FROM STDIN (FORMAT csv);

-- name: replace
-- Of records with one id the first in the log stays. What a row was before is told.
COPY (
    WITH later AS MATERIALIZED (
        SELECT found.*
        FROM
            staged_revenue AS staged,
            LATERAL (
                SELECT event_id
                FROM revenue
                WHERE
                    event_id = staged.event_id
                    AND (staged.source_partition, staged.source_offset) < (source_partition, source_offset)
                FOR UPDATE
            ) AS found
    )
    UPDATE revenue AS kept SET
        persona_id = staged.persona_id,
        kind = staged.kind,
        amount_micros = staged.amount_micros,
        subscription_id = staged.subscription_id,
        source = staged.source,
        simulated = staged.simulated,
        causation_id = staged.causation_id,
        occurred_at = staged.occurred_at,
        source_partition = staged.source_partition,
        source_offset = staged.source_offset
    FROM later, staged_revenue AS staged
    WHERE staged.event_id = later.event_id AND kept.event_id = later.event_id
    RETURNING later.event_id
) TO STDOUT (FORMAT csv, HEADER);
