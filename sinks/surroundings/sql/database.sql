-- name: load
SELECT
    datname,
    numbackends,
    pg_database_size(datid) AS size_bytes
FROM pg_stat_database
WHERE datname = current_database();
