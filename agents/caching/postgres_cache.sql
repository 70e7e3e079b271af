-- name: lock
SELECT pg_advisory_xact_lock(hashtext('threads-agent-stack llm_cache'));

-- name: create_schema
CREATE SCHEMA IF NOT EXISTS llm_cache;

-- name: create_replies
CREATE TABLE IF NOT EXISTS llm_cache.replies (
    key text PRIMARY KEY,
    reply bytea NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT now()
);

-- name: create_index
CREATE INDEX IF NOT EXISTS replies_kept_at ON llm_cache.replies (kept_at);

-- name: get
SELECT reply FROM llm_cache.replies
WHERE key = %(key)s AND kept_at > now() - make_interval(secs => %(ttl_s)s);

-- name: put
INSERT INTO llm_cache.replies (key, reply) VALUES (%(key)s, %(reply)s)
ON CONFLICT (key) DO UPDATE SET reply = excluded.reply, kept_at = excluded.kept_at;

-- name: sweep
-- What is too old, and the oldest of what is too much.
DELETE FROM llm_cache.replies
WHERE
    kept_at <= now() - make_interval(secs => %(ttl_s)s)
    OR key IN (
        SELECT key
        FROM (
            SELECT key, sum(octet_length(reply)) OVER (ORDER BY kept_at DESC, key) AS newer
            FROM llm_cache.replies
        ) AS aged
        WHERE newer > %(max_bytes)s
    );

-- name: is_there
SELECT to_regclass('llm_cache.replies') IS NOT NULL;

-- name: count
SELECT count(*) FROM llm_cache.replies;

-- name: empty
DELETE FROM llm_cache.replies;
