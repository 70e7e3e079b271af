-- Runs of replays, rebuilds, imports, resets and erasures (topic operations.runs), and which events are imported history.

CREATE TABLE operation_runs (
    run_id text PRIMARY KEY,
    event_id text NOT NULL,
    occurred_at timestamptz NOT NULL,
    sequence integer NOT NULL,
    operation text NOT NULL,
    status text NOT NULL,
    requested_by text NOT NULL,
    selection text NOT NULL,
    target text NOT NULL,
    selected bigint,
    read bigint NOT NULL,
    written bigint NOT NULL,
    skipped bigint NOT NULL,
    refused bigint NOT NULL,
    positions jsonb NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    reason text,
    detail text,
    run_partition integer NOT NULL,
    run_offset bigint NOT NULL
);
CREATE INDEX operation_runs_by_start ON operation_runs (started_at);
COMMENT ON TABLE operation_runs IS
    'Each run that changed state on purpose: who, what, when, how many records, and how it ended.';

ALTER TABLE engagement ADD COLUMN backfilled boolean NOT NULL DEFAULT false;
ALTER TABLE costs ADD COLUMN source text NOT NULL DEFAULT 'unknown', ADD COLUMN backfilled boolean NOT NULL DEFAULT false;
ALTER TABLE revenue ADD COLUMN backfilled boolean NOT NULL DEFAULT false;
ALTER TABLE posts ADD COLUMN backfilled boolean NOT NULL DEFAULT false;
