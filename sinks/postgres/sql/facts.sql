-- name: stage_ids
CREATE TEMPORARY TABLE IF NOT EXISTS staged_ids (event_id text NOT NULL) ON COMMIT DELETE ROWS;

-- name: clear_ids
TRUNCATE staged_ids;

-- name: copy_ids
COPY staged_ids (event_id) FROM STDIN (FORMAT csv);

-- name: known
-- Which of the staged ids have a row, and where in the log it came from: each is looked up in the primary key.
COPY (
    SELECT known.*
    FROM
        staged_ids,
        LATERAL (
            SELECT event_id, source_partition, source_offset
            FROM {table}
            WHERE event_id = staged_ids.event_id
            OFFSET 0
        ) AS known
) TO STDOUT (FORMAT csv, HEADER);

-- name: copy
COPY {table} ({columns}) FROM STDIN (FORMAT csv);

-- name: stage
CREATE TEMPORARY TABLE IF NOT EXISTS staged_{table} (LIKE {table}) ON COMMIT DELETE ROWS;

-- name: clear
TRUNCATE staged_{table};

-- name: copy_staged
COPY staged_{table} ({columns}) FROM STDIN (FORMAT csv);

-- name: replace
-- Of records with one id the first in the log stays. What a row was before is told.
COPY (
    WITH later AS MATERIALIZED (
        SELECT found.*
        FROM
            staged_{table} AS staged,
            LATERAL (
                SELECT {told}
                FROM {table}
                WHERE
                    event_id = staged.event_id
                    AND (staged.source_partition, staged.source_offset) < (source_partition, source_offset)
                FOR UPDATE
            ) AS found
    )
    UPDATE {table} AS kept SET
        {assignments}
    FROM later, staged_{table} AS staged
    WHERE staged.event_id = later.event_id AND kept.event_id = later.event_id
    RETURNING
        {told_before}
) TO STDOUT (FORMAT csv, HEADER);
