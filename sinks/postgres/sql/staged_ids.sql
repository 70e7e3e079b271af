-- name: stage
CREATE TEMPORARY TABLE IF NOT EXISTS staged_ids (event_id text NOT NULL) ON COMMIT DELETE ROWS;

-- name: clear
TRUNCATE staged_ids;

-- name: copy
COPY staged_ids (event_id) FROM STDIN (FORMAT csv);
