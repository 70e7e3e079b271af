-- What is to be published and was, what platforms told of it in totals, and what they told by themselves.

CREATE TABLE publications (
    publication_id text NOT NULL,
    part integer NOT NULL,
    parts integer NOT NULL,
    sequence integer NOT NULL,
    event_id text NOT NULL,
    persona_id text NOT NULL,
    state text NOT NULL,
    platform text NOT NULL,
    account_id text,
    draft_id text,
    text text NOT NULL,
    content_digest text NOT NULL,
    due_at timestamptz,
    container_id text,
    post_id text,
    permalink text,
    attempt integer NOT NULL,
    reason text,
    retryable boolean,
    simulated boolean NOT NULL,
    causation_id text,
    changed_at timestamptz NOT NULL,
    source_partition integer NOT NULL,
    source_offset bigint NOT NULL,
    PRIMARY KEY (publication_id, part)
);
CREATE INDEX publications_by_time ON publications (changed_at, publication_id, part);
CREATE INDEX publications_by_persona ON publications (persona_id, changed_at);
CREATE INDEX publications_by_draft ON publications (draft_id);
CREATE INDEX publications_by_post ON publications (post_id);
COMMENT ON TABLE publications IS
    'The state of each part of a publication now: that of the greatest sequence, which counts the states of a part.';
COMMENT ON COLUMN publications.changed_at IS 'When the part came into this state.';

CREATE TABLE insights_snapshots (
    event_id text PRIMARY KEY,
    persona_id text NOT NULL,
    account_id text NOT NULL,
    platform text NOT NULL,
    post_id text,
    sequence bigint NOT NULL,
    views bigint,
    likes bigint,
    replies bigint,
    reposts bigint,
    quotes bigint,
    shares bigint,
    clicks bigint,
    followers bigint,
    links jsonb NOT NULL,
    source text NOT NULL,
    simulated boolean NOT NULL,
    causation_id text,
    occurred_at timestamptz NOT NULL,
    source_partition integer NOT NULL,
    source_offset bigint NOT NULL
);
CREATE INDEX insights_snapshots_by_post ON insights_snapshots (post_id, occurred_at);
CREATE INDEX insights_snapshots_by_time ON insights_snapshots USING brin (occurred_at);
COMMENT ON TABLE insights_snapshots IS
    'Lifetime totals as a platform told them, of a post, or where post_id is NULL of an account; NULL: it did not tell.';

CREATE TABLE platform_notices (
    event_id text PRIMARY KEY,
    platform text NOT NULL,
    user_id text NOT NULL,
    field text NOT NULL,
    post_id text,
    body text NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    source_partition integer NOT NULL,
    source_offset bigint NOT NULL
);
CREATE INDEX platform_notices_by_time ON platform_notices USING brin (occurred_at);
COMMENT ON TABLE platform_notices IS 'Webhooks of platforms as they came, each once; body is JSON as text.';
