-- Facts of the topics, one row an event_id. Of records with one id the first in the log stays: least
-- (source_partition, source_offset). No column depends on when a row was written, so a replay gives the same rows.

CREATE TABLE personas (
    persona_id text PRIMARY KEY,
    version text NOT NULL,
    definition text NOT NULL,  -- canonical JSON
    applied_at timestamptz NOT NULL,
    source_partition integer NOT NULL,
    source_offset bigint NOT NULL
);
COMMENT ON TABLE personas IS 'Personas in force: of each persona the record that is last in the log.';

CREATE TABLE requests (
    event_id text PRIMARY KEY,
    persona_id text NOT NULL,
    brief text NOT NULL,
    language text,
    draft_count integer NOT NULL,
    causation_id text,
    occurred_at timestamptz NOT NULL,
    source_partition integer NOT NULL,
    source_offset bigint NOT NULL
);
CREATE INDEX requests_by_persona ON requests (persona_id, occurred_at);

CREATE TABLE drafts (
    draft_id text PRIMARY KEY,
    persona_id text NOT NULL,
    request_id text NOT NULL,
    status text NOT NULL CHECK (status IN ('generated', 'scored', 'accepted', 'rejected')),
    persona_version text NOT NULL,
    hook text NOT NULL,
    body text NOT NULL,
    text text NOT NULL,
    language text NOT NULL,
    model text NOT NULL,
    prompt_tokens bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    cost_micros bigint,
    cost_dollars numeric GENERATED ALWAYS AS (cost_micros / 1000000::numeric) STORED,
    latency_ms bigint NOT NULL,
    generated_at timestamptz NOT NULL,
    score double precision,
    threshold double precision,
    passed boolean,
    features jsonb,
    reasons text[] NOT NULL,
    near_duplicate_id text,
    near_duplicate_similarity double precision,
    embedding_model text,
    decided_at timestamptz,
    precedence smallint NOT NULL,
    event_at timestamptz NOT NULL,
    source_topic text NOT NULL,
    source_partition integer NOT NULL,
    source_offset bigint NOT NULL
);
CREATE INDEX drafts_by_persona ON drafts (persona_id, generated_at);
COMMENT ON COLUMN drafts.precedence IS
    '0 decided, 1 scored, 2 generated: a row is what the furthest event of the draft says, of equals the earliest.';

CREATE TABLE posts (
    event_id text PRIMARY KEY,
    persona_id text NOT NULL,
    post_id text NOT NULL,
    draft_id text,
    text text NOT NULL,
    source text NOT NULL,
    simulated boolean NOT NULL,
    causation_id text,
    occurred_at timestamptz NOT NULL,
    source_partition integer NOT NULL,
    source_offset bigint NOT NULL
);
CREATE INDEX posts_by_post ON posts (post_id);
CREATE INDEX posts_by_persona ON posts (persona_id, occurred_at);

CREATE TABLE engagement (
    event_id text PRIMARY KEY,
    persona_id text NOT NULL,
    post_id text,
    kind text NOT NULL,
    count bigint NOT NULL,
    source text NOT NULL,
    simulated boolean NOT NULL,
    causation_id text,
    occurred_at timestamptz NOT NULL,
    source_partition integer NOT NULL,
    source_offset bigint NOT NULL
);
CREATE INDEX engagement_by_time ON engagement USING brin (occurred_at);

CREATE TABLE costs (
    event_id text PRIMARY KEY,
    persona_id text NOT NULL,
    request_id text,
    step text NOT NULL,
    model text NOT NULL,
    prompt_tokens bigint NOT NULL,
    cached_tokens bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    cost_micros bigint,
    cost_dollars numeric GENERATED ALWAYS AS (cost_micros / 1000000::numeric) STORED,
    latency_ms bigint NOT NULL,
    causation_id text,
    occurred_at timestamptz NOT NULL,
    source_partition integer NOT NULL,
    source_offset bigint NOT NULL
);
CREATE INDEX costs_by_persona ON costs (persona_id, occurred_at);

CREATE TABLE revenue (
    event_id text PRIMARY KEY,
    persona_id text NOT NULL,
    kind text NOT NULL,
    amount_micros bigint NOT NULL,
    amount_dollars numeric GENERATED ALWAYS AS (amount_micros / 1000000::numeric) STORED,
    subscription_id text,
    source text NOT NULL,
    simulated boolean NOT NULL,
    causation_id text,
    occurred_at timestamptz NOT NULL,
    source_partition integer NOT NULL,
    source_offset bigint NOT NULL
);
CREATE INDEX revenue_by_persona ON revenue (persona_id, occurred_at);

CREATE VIEW daily_engagement AS
SELECT
    persona_id,
    (occurred_at AT TIME ZONE 'UTC')::date AS day,
    kind,
    sum(count) AS count,
    coalesce(sum(count) FILTER (WHERE simulated), 0) AS simulated_count,
    count(*) AS events
FROM engagement
GROUP BY persona_id, (occurred_at AT TIME ZONE 'UTC')::date, kind;
