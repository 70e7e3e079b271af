-- What measures have spared, and when spending reached a level of its budget; see topics cost.savings, budget.alerts.

CREATE TABLE savings (
    event_id text PRIMARY KEY,
    persona_id text NOT NULL,
    request_id text,
    step text NOT NULL,
    measure text NOT NULL,
    model text NOT NULL,
    prompt_tokens bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    saved_micros bigint,
    saved_dollars numeric GENERATED ALWAYS AS (saved_micros / 1000000::numeric) STORED,
    causation_id text,
    occurred_at timestamptz NOT NULL,
    source_partition integer NOT NULL,
    source_offset bigint NOT NULL
);
CREATE INDEX savings_by_time ON savings (occurred_at);
COMMENT ON COLUMN savings.saved_micros IS 'Null where a price is unknown; negative where the measure cost more.';

CREATE TABLE budget_alerts (
    event_id text PRIMARY KEY,
    persona_id text NOT NULL,
    kind text NOT NULL,
    period text NOT NULL,
    period_start timestamptz NOT NULL,
    spent_micros bigint NOT NULL,
    spent_dollars numeric GENERATED ALWAYS AS (spent_micros / 1000000::numeric) STORED,
    limit_micros bigint,
    limit_dollars numeric GENERATED ALWAYS AS (limit_micros / 1000000::numeric) STORED,
    occurred_at timestamptz NOT NULL,
    source_partition integer NOT NULL,
    source_offset bigint NOT NULL
);
CREATE INDEX budget_alerts_by_time ON budget_alerts (occurred_at);
COMMENT ON COLUMN budget_alerts.persona_id IS 'Who spends, * for all personas together.';
COMMENT ON COLUMN budget_alerts.limit_micros IS 'Budget of the period; of a spike the mean of the hours before.';
