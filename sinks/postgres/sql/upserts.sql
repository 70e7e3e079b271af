-- name: stage
CREATE TEMPORARY TABLE IF NOT EXISTS staged_{table} (LIKE {table}) ON COMMIT DELETE ROWS;

-- name: clear
TRUNCATE staged_{table};

-- name: copy
COPY staged_{table} ({columns}) FROM STDIN;

-- name: merge
-- Of rows with one key, staged or in the table, the one stays whose rank {precedes} those of the others.
INSERT INTO {table} AS kept ({columns})
SELECT DISTINCT ON ({key}) {columns}
FROM staged_{table}
ORDER BY {key}, {order}
ON CONFLICT ({key}) DO UPDATE SET
    {assignments}
WHERE
    ({excluded_rank}) {precedes} ({kept_rank});
