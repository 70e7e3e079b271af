-- KPI history, bounded: of each persona and window one row a pane, the latest of that pane. Panes are minutes for 1h and
-- 24h, hours for 7d, 30d and lifetime (the panes the windows are sums of), so a persona makes at most 2,952 rows a day.
-- The thinning depends on the records alone, so a replay gives the same rows.

CREATE TABLE kpi_updates (
    persona_id text NOT NULL,
    window_name text NOT NULL,
    pane timestamptz NOT NULL,
    event_id text NOT NULL,
    window_start timestamptz,
    as_of timestamptz NOT NULL,
    views bigint NOT NULL,
    likes bigint NOT NULL,
    replies bigint NOT NULL,
    reposts bigint NOT NULL,
    quotes bigint NOT NULL,
    shares bigint NOT NULL,
    clicks bigint NOT NULL,
    follows bigint NOT NULL,
    account_growth bigint NOT NULL,
    posts bigint NOT NULL,
    cost_micros bigint NOT NULL,
    cost_dollars numeric GENERATED ALWAYS AS (cost_micros / 1000000::numeric) STORED,
    unpriced_calls bigint NOT NULL,
    revenue_micros bigint NOT NULL,
    revenue_dollars numeric GENERATED ALWAYS AS (revenue_micros / 1000000::numeric) STORED,
    one_off_revenue_micros bigint NOT NULL,
    recurring_revenue_micros bigint NOT NULL,
    late_events bigint NOT NULL,
    engagements bigint NOT NULL,
    engagement_rate double precision,
    cost_per_follow_dollars double precision,
    cost_per_account_growth_dollars double precision,
    revenue_projection_monthly_micros bigint,
    revenue_projection_monthly_dollars numeric
        GENERATED ALWAYS AS (revenue_projection_monthly_micros / 1000000::numeric) STORED,
    viral_posts bigint,
    occurred_at timestamptz NOT NULL,
    source_partition integer NOT NULL,
    source_offset bigint NOT NULL,
    PRIMARY KEY (persona_id, window_name, pane)
);
CREATE INDEX kpi_updates_by_time ON kpi_updates (persona_id, window_name, as_of DESC);
COMMENT ON COLUMN kpi_updates.as_of IS 'window_end of the record: the instant the window was taken at.';

CREATE VIEW kpi_current AS
SELECT DISTINCT ON (persona_id, window_name) *
FROM kpi_updates
ORDER BY persona_id, window_name, pane DESC;
