SELECT
    persona_id AS persona,
    window_name AS "window",
    as_of AS "as of",
    engagements,
    views,
    engagement_rate AS "engagement rate",
    cost_dollars AS cost,
    follows,
    cost_per_follow_dollars AS "cost per follow",
    account_growth AS "account growth",
    cost_per_account_growth_dollars AS "cost per account growth",
    revenue_dollars AS revenue,
    revenue_projection_monthly_dollars AS "projection a month",
    viral_posts AS "viral posts",
    unpriced_calls AS "unpriced calls",
    late_events AS "late events"
FROM kpi_current
WHERE
    persona_id = ANY(ARRAY[${persona:sqlstring}]::text[])
    AND window_name = ANY(ARRAY[${window:sqlstring}]::text[])
ORDER BY persona_id, array_position(ARRAY['1h', '24h', '7d', '30d', 'lifetime'], window_name);
