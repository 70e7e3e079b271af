-- name: stage
CREATE TEMPORARY TABLE IF NOT EXISTS staged_kpi_updates (LIKE kpi_updates) ON COMMIT DELETE ROWS;

-- name: clear
TRUNCATE staged_kpi_updates;

-- name: copy
COPY staged_kpi_updates (
    persona_id, window_name, pane, event_id, window_start, as_of, views, likes, replies, reposts, quotes, shares,
    clicks, follows, account_growth, posts, cost_micros, unpriced_calls, revenue_micros, one_off_revenue_micros,
    recurring_revenue_micros, late_events, engagements, engagement_rate, cost_per_follow_dollars,
    cost_per_account_growth_dollars, revenue_projection_monthly_micros, viral_posts, occurred_at, source_partition,
    source_offset
) FROM STDIN;

-- name: merge
-- The latest of a pane stays; of two taken at one instant the later written.
INSERT INTO kpi_updates AS kept (
    persona_id, window_name, pane, event_id, window_start, as_of, views, likes, replies, reposts, quotes, shares,
    clicks, follows, account_growth, posts, cost_micros, unpriced_calls, revenue_micros, one_off_revenue_micros,
    recurring_revenue_micros, late_events, engagements, engagement_rate, cost_per_follow_dollars,
    cost_per_account_growth_dollars, revenue_projection_monthly_micros, viral_posts, occurred_at, source_partition,
    source_offset
)
SELECT DISTINCT ON (persona_id, window_name, pane)
    persona_id, window_name, pane, event_id, window_start, as_of, views, likes, replies, reposts, quotes, shares,
    clicks, follows, account_growth, posts, cost_micros, unpriced_calls, revenue_micros, one_off_revenue_micros,
    recurring_revenue_micros, late_events, engagements, engagement_rate, cost_per_follow_dollars,
    cost_per_account_growth_dollars, revenue_projection_monthly_micros, viral_posts, occurred_at, source_partition,
    source_offset
FROM staged_kpi_updates
ORDER BY persona_id, window_name, pane, as_of DESC, occurred_at DESC, source_partition DESC, source_offset DESC
ON CONFLICT (persona_id, window_name, pane) DO UPDATE SET
    event_id = EXCLUDED.event_id,
    window_start = EXCLUDED.window_start,
    as_of = EXCLUDED.as_of,
    views = EXCLUDED.views,
    likes = EXCLUDED.likes,
    replies = EXCLUDED.replies,
    reposts = EXCLUDED.reposts,
    quotes = EXCLUDED.quotes,
    shares = EXCLUDED.shares,
    clicks = EXCLUDED.clicks,
    follows = EXCLUDED.follows,
    account_growth = EXCLUDED.account_growth,
    posts = EXCLUDED.posts,
    cost_micros = EXCLUDED.cost_micros,
    unpriced_calls = EXCLUDED.unpriced_calls,
    revenue_micros = EXCLUDED.revenue_micros,
    one_off_revenue_micros = EXCLUDED.one_off_revenue_micros,
    recurring_revenue_micros = EXCLUDED.recurring_revenue_micros,
    late_events = EXCLUDED.late_events,
    engagements = EXCLUDED.engagements,
    engagement_rate = EXCLUDED.engagement_rate,
    cost_per_follow_dollars = EXCLUDED.cost_per_follow_dollars,
    cost_per_account_growth_dollars = EXCLUDED.cost_per_account_growth_dollars,
    revenue_projection_monthly_micros = EXCLUDED.revenue_projection_monthly_micros,
    viral_posts = EXCLUDED.viral_posts,
    occurred_at = EXCLUDED.occurred_at,
    source_partition = EXCLUDED.source_partition,
    source_offset = EXCLUDED.source_offset
WHERE
    (EXCLUDED.as_of, EXCLUDED.occurred_at, EXCLUDED.source_partition, EXCLUDED.source_offset)
    > (kept.as_of, kept.occurred_at, kept.source_partition, kept.source_offset);
