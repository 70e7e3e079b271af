-- name: kpis
SELECT
    persona_id, window_name, window_start, as_of,
    {post_counters}, account_growth, posts, engagements,
    cost_micros, cost_dollars, unpriced_calls,
    revenue_micros, revenue_dollars, one_off_revenue_micros, recurring_revenue_micros,
    late_events, viral_posts,
    engagement_rate, cost_per_follow_dollars, cost_per_account_growth_dollars, revenue_projection_monthly_dollars
FROM kpi_current
WHERE
    (%(persona)s::text IS NULL OR persona_id = %(persona)s)
    AND (%(window)s::text IS NULL OR window_name = %(window)s)
ORDER BY persona_id, array_position(ARRAY['1h', '24h', '7d', '30d', 'lifetime'], window_name), window_name;

-- name: posts
-- The text is that of the post's first record, where it has one.
SELECT
    persona_id, post_id, published_at, published_at_from,
    {post_counters}, engagements, engagement_rate, viral,
    first_hour_views, first_hour_engagements, first_day_views, first_day_engagements, first_day_growth,
    events, simulated_events,
    (
        SELECT text FROM posts
        WHERE posts.post_id = top.post_id AND posts.persona_id = top.persona_id
        ORDER BY occurred_at, source_partition, source_offset
        LIMIT 1
    ) AS text
FROM (
    SELECT
        *,
        CASE %(sort)s
            WHEN 'views' THEN views
            WHEN 'engagements' THEN engagements
            WHEN 'engagement-rate' THEN engagement_rate
            WHEN 'clicks' THEN clicks
            WHEN 'follows' THEN follows
            WHEN 'first-hour' THEN first_hour_views
            WHEN 'first-day' THEN first_day_views
            WHEN 'growth' THEN first_day_growth
            WHEN 'published' THEN extract(epoch FROM published_at)
        END AS sorted_by
    FROM post_kpis
    WHERE
        (%(persona)s::text IS NULL OR persona_id = %(persona)s)
        AND (NOT %(viral)s OR viral)
        AND views >= %(min_views)s
    ORDER BY sorted_by DESC NULLS LAST, persona_id, post_id
    LIMIT %(limit)s
) AS top
ORDER BY sorted_by DESC NULLS LAST, persona_id, post_id;

-- name: days
SELECT
    persona_id, day, {post_counters}, account_growth, posts,
    engagements, cost_micros, cost_dollars, unpriced_calls,
    revenue_micros, revenue_dollars, one_off_revenue_micros, recurring_revenue_micros, simulated_events,
    engagement_rate, cost_per_follow_dollars, cost_per_account_growth_dollars
FROM daily_kpis
WHERE
    (%(persona)s::text IS NULL OR persona_id = %(persona)s)
    AND (%(since)s::date IS NULL OR day >= %(since)s)
    AND (%(until)s::date IS NULL OR day < %(until)s)
ORDER BY day, persona_id;

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

-- name: savings
-- The last row, without measure, is the total. Money that is unknown is counted by its calls, not guessed.
WITH bill AS (
    SELECT coalesce(sum(cost_micros), 0) AS micros, count(*) FILTER (WHERE cost_micros IS NULL) AS unpriced_calls
    FROM costs
),

saved AS (
    SELECT
        measure,
        count(*) AS calls,
        coalesce(sum(prompt_tokens), 0) AS prompt_tokens,
        coalesce(sum(completion_tokens), 0) AS completion_tokens,
        coalesce(sum(saved_micros), 0) AS saved_micros,
        count(*) FILTER (WHERE saved_micros IS NULL) AS unknown_calls
    FROM savings
    GROUP BY GROUPING SETS ((measure), ())
)

SELECT
    saved.*,
    bill.micros AS bill_micros,
    bill.unpriced_calls AS unpriced_calls,
    bill.micros + everything.saved_micros AS bill_without_micros,
    saved.saved_micros::double precision / nullif(bill.micros + everything.saved_micros, 0) AS share
FROM saved
CROSS JOIN bill
CROSS JOIN (SELECT saved_micros FROM saved WHERE measure IS NULL) AS everything
ORDER BY saved.measure NULLS LAST;
