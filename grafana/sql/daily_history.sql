SELECT
    day,
    persona_id AS persona,
    posts,
    engagements,
    views,
    engagement_rate AS "engagement rate",
    clicks,
    cost_dollars AS cost,
    follows,
    cost_per_follow_dollars AS "cost per follow",
    account_growth AS "account growth",
    cost_per_account_growth_dollars AS "cost per account growth",
    revenue_dollars AS revenue,
    unpriced_calls AS "unpriced calls",
    simulated_events AS "simulated events"
FROM daily_kpis
WHERE $__timeFilter(day) AND persona_id = ANY(ARRAY[${persona:sqlstring}]::text[])
ORDER BY day DESC, persona_id;
