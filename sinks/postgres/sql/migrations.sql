-- name: lock
-- Held to the end of the transaction: workers that start together migrate one after the other.
SELECT pg_advisory_xact_lock(hashtext('threads-agent-stack migrations'));

-- name: allow_time
SELECT set_config('statement_timeout', %s, true);

-- name: create_ledger
CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,  -- SHA-256 of the file
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: applied
SELECT version, name, checksum FROM schema_migrations ORDER BY version;

-- name: record
INSERT INTO schema_migrations (version, name, checksum) VALUES (%s, %s, %s);
