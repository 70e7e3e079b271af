-- name: kpis
SELECT
    persona_id, window_name, window_start, as_of,
    views, likes, replies, reposts, quotes, shares, clicks, follows, account_growth, posts, engagements,
    cost_micros, cost_dollars, unpriced_calls,
    revenue_micros, revenue_dollars, one_off_revenue_micros, recurring_revenue_micros,
    late_events, viral_posts,
    engagement_rate, cost_per_follow_dollars, cost_per_account_growth_dollars, revenue_projection_monthly_dollars
FROM kpi_current
WHERE
    (%(persona)s::text IS NULL OR persona_id = %(persona)s)
    AND (%(window)s::text IS NULL OR window_name = %(window)s)
ORDER BY persona_id, array_position(ARRAY['1h', '24h', '7d', '30d', 'lifetime'], window_name), window_name;

-- name: drafts
SELECT
    draft_id, persona_id, request_id, status, score, threshold, features, reasons,
    near_duplicate_id, near_duplicate_similarity,
    model, prompt_tokens, completion_tokens, cost_micros, cost_dollars, latency_ms,
    language, text, generated_at, decided_at
FROM drafts
WHERE
    (%(persona)s::text IS NULL OR persona_id = %(persona)s)
    AND (%(status)s::text IS NULL OR status = %(status)s)
ORDER BY generated_at, draft_id;

-- name: costs
-- The last row, without persona and model, is the total. A call without a known price is counted, not guessed.
SELECT
    persona_id, model,
    count(*) AS calls,
    coalesce(sum(prompt_tokens), 0) AS prompt_tokens,
    coalesce(sum(cached_tokens), 0) AS cached_tokens,
    coalesce(sum(completion_tokens), 0) AS completion_tokens,
    coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
    coalesce(sum(cost_micros), 0) AS cost_micros,
    coalesce(sum(cost_dollars), 0) AS cost_dollars,
    count(*) FILTER (WHERE cost_micros IS NULL) AS unpriced_calls
FROM costs
GROUP BY GROUPING SETS ((persona_id, model), ())
ORDER BY grouping(persona_id), persona_id, model;
