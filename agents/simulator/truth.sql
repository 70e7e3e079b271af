-- name: create_kept
CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- name: create_users
CREATE TABLE IF NOT EXISTS users (
    user_id TEXT PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,
    restricted TEXT,
    followers INTEGER NOT NULL,
    made_ms INTEGER NOT NULL
) WITHOUT ROWID;

-- name: create_tokens
CREATE TABLE IF NOT EXISTS tokens (
    token TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    scopes TEXT NOT NULL,
    issued_ms INTEGER NOT NULL,
    expires_ms INTEGER,
    revoked_ms INTEGER
) WITHOUT ROWID;

-- name: create_codes
CREATE TABLE IF NOT EXISTS codes (
    code TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    scopes TEXT NOT NULL,
    made_ms INTEGER NOT NULL
) WITHOUT ROWID;

-- name: create_containers
CREATE TABLE IF NOT EXISTS containers (
    container_id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    text TEXT NOT NULL,
    reply_to TEXT,
    reply_control TEXT,
    link TEXT,
    topic_tag TEXT,
    made_ms INTEGER NOT NULL,
    ready_ms INTEGER,
    error TEXT,
    post_id TEXT
) WITHOUT ROWID;

-- name: create_posts
CREATE TABLE IF NOT EXISTS posts (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    post_id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    container_id TEXT UNIQUE,
    text TEXT NOT NULL,
    reply_to TEXT,
    root TEXT,
    reply_control TEXT,
    link TEXT,
    topic_tag TEXT,
    links TEXT NOT NULL,
    published_ms INTEGER NOT NULL,
    deleted_ms INTEGER,
    deleted_by TEXT,
    corrected INTEGER NOT NULL DEFAULT 0,
    answered INTEGER NOT NULL DEFAULT 0
);

-- name: create_posts_of_user
CREATE INDEX IF NOT EXISTS posts_of_user ON posts (user_id, published_ms);

-- name: create_posts_of_root
CREATE INDEX IF NOT EXISTS posts_of_root ON posts (root) WHERE root IS NOT NULL;

-- name: create_corrections
CREATE TABLE IF NOT EXISTS corrections (
    post_id TEXT NOT NULL,
    metric TEXT NOT NULL,
    link TEXT,
    amount INTEGER NOT NULL,
    at_ms INTEGER NOT NULL
);

-- name: create_corrections_of_post
CREATE INDEX IF NOT EXISTS corrections_of_post ON corrections (post_id);

-- name: create_calls
CREATE TABLE IF NOT EXISTS calls (
    user_id TEXT NOT NULL,
    hour INTEGER NOT NULL,
    route TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (user_id, hour, route)
) WITHOUT ROWID;

-- name: create_faults
CREATE TABLE IF NOT EXISTS faults (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;

-- name: get_kept
SELECT value FROM kept WHERE key = :key;

-- name: put_kept
INSERT INTO kept (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value;

-- name: next_number
INSERT INTO kept (key, value) VALUES ('number', 1)
ON CONFLICT (key) DO UPDATE SET value = value + 1 RETURNING CAST(value AS INTEGER) AS number;

-- name: add_user
INSERT OR IGNORE INTO users (user_id, username, followers, made_ms) VALUES (:user_id, :username, :followers, :made_ms);

-- name: user
SELECT * FROM users WHERE user_id = :user OR username = :user;

-- name: users
SELECT * FROM users ORDER BY made_ms, user_id;

-- name: restrict
UPDATE users SET restricted = :restricted WHERE user_id = :user_id;

-- name: add_followers
UPDATE users SET followers = followers + :number WHERE user_id = :user_id;

-- name: add_token
INSERT OR IGNORE INTO tokens (token, user_id, kind, scopes, issued_ms, expires_ms)
VALUES (:token, :user_id, :kind, :scopes, :issued_ms, :expires_ms);

-- name: token
SELECT tokens.*, users.username, users.restricted FROM tokens JOIN users USING (user_id) WHERE token = :token;

-- name: tokens
SELECT * FROM tokens ORDER BY issued_ms, token;

-- name: change_tokens
UPDATE tokens
SET revoked_ms = :revoked_ms, expires_ms = :expires_ms, scopes = :scopes
WHERE token = :token;

-- name: add_code
INSERT INTO codes (code, user_id, client_id, redirect_uri, scopes, made_ms)
VALUES (:code, :user_id, :client_id, :redirect_uri, :scopes, :made_ms);

-- name: take_code
DELETE FROM codes WHERE code = :code RETURNING *;

-- name: add_container
INSERT INTO containers (
    container_id, user_id, text, reply_to, reply_control, link, topic_tag, made_ms, ready_ms, error
) VALUES (
    :container_id, :user_id, :text, :reply_to, :reply_control, :link, :topic_tag, :made_ms, :ready_ms, :error
);

-- name: container
SELECT * FROM containers WHERE container_id = :container_id;

-- name: containers
SELECT * FROM containers WHERE :user_id IS NULL OR user_id = :user_id ORDER BY made_ms, container_id;

-- name: fail_container
UPDATE containers SET error = :error WHERE container_id = :container_id AND post_id IS NULL;

-- name: publish_container
UPDATE containers SET post_id = :post_id WHERE container_id = :container_id AND post_id IS NULL;

-- name: add_post
INSERT INTO posts (
    post_id, user_id, container_id, text, reply_to, root, reply_control, link, topic_tag, links, published_ms
) VALUES (
    :post_id, :user_id, :container_id, :text, :reply_to, :root, :reply_control, :link, :topic_tag, :links, :published_ms
);

-- name: post
SELECT posts.*, users.username FROM posts JOIN users USING (user_id) WHERE post_id = :post_id;

-- name: posts
SELECT posts.*, users.username FROM posts JOIN users USING (user_id)
WHERE :user_id IS NULL OR user_id = :user_id ORDER BY place;

-- name: delete_post
UPDATE posts SET deleted_ms = :deleted_ms, deleted_by = :deleted_by WHERE post_id = :post_id AND deleted_ms IS NULL;

-- name: posts_page
SELECT posts.*, users.username FROM posts JOIN users USING (user_id)
WHERE
    user_id = :user_id AND deleted_ms IS NULL AND (reply_to IS NOT NULL) = :replies
    AND published_ms BETWEEN :since_ms AND :until_ms AND place < :below
ORDER BY place DESC LIMIT :most;

-- name: conversation
SELECT posts.*, users.username FROM posts JOIN users USING (user_id)
WHERE root = :root AND deleted_ms IS NULL ORDER BY place;

-- name: published_since
SELECT
    count(*) FILTER (WHERE reply_to IS NULL) AS posts,
    count(*) FILTER (WHERE reply_to IS NOT NULL) AS replies
FROM posts WHERE user_id = :user_id AND published_ms > :since_ms AND container_id IS NOT NULL;

-- name: deleted_since
SELECT count(*) AS deletions FROM posts WHERE user_id = :user_id AND deleted_ms > :since_ms AND deleted_by = 'api';

-- name: add_correction
INSERT INTO corrections (post_id, metric, link, amount, at_ms) VALUES (:post_id, :metric, :link, :amount, :at_ms);

-- name: note_corrected
UPDATE posts SET corrected = 1 WHERE post_id = :post_id;

-- name: note_answered
UPDATE posts SET answered = 1 WHERE post_id IN (:post_id, :root);

-- name: corrections
SELECT metric, link, amount, at_ms FROM corrections WHERE post_id = :post_id ORDER BY at_ms;

-- name: count_call
INSERT INTO calls (user_id, hour, route, number) VALUES (:user_id, :hour, :route, 1)
ON CONFLICT (user_id, hour, route) DO UPDATE SET number = number + 1;

-- name: calls_since
SELECT coalesce(sum(number), 0) AS number FROM calls WHERE user_id = :user_id AND hour >= :hour;

-- name: calls
SELECT user_id, route, sum(number) AS number FROM calls GROUP BY user_id, route ORDER BY user_id, route;

-- name: count_fault
INSERT INTO faults (name, number) VALUES (:name, 1) ON CONFLICT (name) DO UPDATE SET number = number + 1;

-- name: faults
SELECT name, number FROM faults ORDER BY name;
