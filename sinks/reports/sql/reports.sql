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
    (%(personas)s::text[] IS NULL OR persona_id = ANY(%(personas)s))
    AND (%(window)s::text IS NULL OR window_name = %(window)s)
ORDER BY persona_id, array_position(ARRAY['1h', '24h', '7d', '30d', 'lifetime'], window_name), window_name;

-- name: posts
-- The text is that of the post's first record, where it has one.
SELECT
    persona_id, post_id, published_at, published_at_from,
    {post_counters}, engagements, engagement_rate, viral,
    first_hour_views, first_hour_engagements, first_day_views, first_day_engagements, first_day_growth,
    events, simulated_events, sorted_by, publication.text
FROM (
    SELECT *
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
            END::double precision AS sorted_by
        FROM post_kpis
        WHERE
            (%(personas)s::text[] IS NULL OR persona_id = ANY(%(personas)s))
            AND (NOT %(viral)s OR viral)
            AND views >= %(min_views)s
    ) AS chosen
    WHERE
        %(after_post)s::text IS NULL
        OR sorted_by < %(after_value)s::double precision
        OR (sorted_by IS NULL AND %(after_value)s::double precision IS NOT NULL)
        OR (
            sorted_by IS NOT DISTINCT FROM %(after_value)s::double precision
            AND (persona_id, post_id) > (%(after_persona)s::text, %(after_post)s::text)
        )
    ORDER BY sorted_by DESC NULLS LAST, persona_id, post_id
    LIMIT %(limit)s
) AS top
LEFT JOIN LATERAL (
    SELECT text FROM posts
    WHERE posts.post_id = top.post_id AND posts.persona_id = top.persona_id
    ORDER BY occurred_at, source_partition, source_offset
    LIMIT 1
) AS publication ON TRUE
ORDER BY sorted_by DESC NULLS LAST, persona_id, post_id;

-- name: post
-- One post, and the draft and the request that it comes from, where they are known.
SELECT
    persona_id, post_id, published_at, published_at_from,
    {post_counters}, engagements, engagement_rate, viral,
    first_hour_views, first_hour_engagements, first_day_views, first_day_engagements, first_day_growth,
    events, simulated_events, publication.text, publication.draft_id,
    (SELECT request_id FROM drafts WHERE drafts.draft_id = publication.draft_id) AS request_id
FROM post_kpis
LEFT JOIN LATERAL (
    SELECT text, draft_id FROM posts
    WHERE posts.post_id = post_kpis.post_id AND posts.persona_id = post_kpis.persona_id
    ORDER BY occurred_at, source_partition, source_offset
    LIMIT 1
) AS publication ON TRUE
WHERE post_kpis.persona_id = %(persona)s AND post_kpis.post_id = %(post)s;

-- name: post_events
-- The engagement of a post, the newest first.
SELECT
    event_id, occurred_at, persona_id, post_id, kind, count, source, simulated, basis, causation_id,
    source_partition, source_offset
FROM engagement
WHERE
    post_id = %(post)s AND persona_id = %(persona)s
    AND (%(kind)s::text IS NULL OR kind = %(kind)s)
    AND (%(before_at)s::timestamptz IS NULL OR (occurred_at, event_id) < (%(before_at)s, %(before_id)s::text))
ORDER BY occurred_at DESC, event_id DESC
LIMIT %(limit)s;

-- name: kpi_history
-- The KPIs of a window as they stood at up to `points` moments, evenly spread over as long as the window itself, of what
-- is known: counts of several personas are summed before any ratio. Each persona counts as it last stood by then.
WITH RECURSIVE persona (persona_id) AS (  -- each is looked up in the index, however many rows it has
    (SELECT persona_id FROM kpi_updates ORDER BY persona_id LIMIT 1)
    UNION ALL
    SELECT (SELECT next.persona_id FROM kpi_updates AS next WHERE next.persona_id > persona.persona_id ORDER BY 1 LIMIT 1)
    FROM persona
    WHERE persona.persona_id IS NOT NULL
),

chosen AS (
    SELECT
        persona_id,
        (
            SELECT pane FROM kpi_updates AS kept
            WHERE kept.persona_id = persona.persona_id AND kept.window_name = %(window)s
            ORDER BY pane LIMIT 1
        ) AS first_pane,
        (
            SELECT pane FROM kpi_updates AS kept
            WHERE kept.persona_id = persona.persona_id AND kept.window_name = %(window)s
            ORDER BY pane DESC LIMIT 1
        ) AS last_pane
    FROM persona
    WHERE persona_id IS NOT NULL AND (%(personas)s::text[] IS NULL OR persona_id = ANY(%(personas)s))
),

span AS (
    SELECT greatest(min(first_pane), max(last_pane) - %(span)s::interval) AS first, max(last_pane) AS last
    FROM chosen
),

moment AS (
    SELECT last - step * (last - first) / greatest(%(points)s::integer - 1, 1) AS at
    FROM span, generate_series(0, %(points)s::integer - 1) AS step
)

SELECT
    date_bin(%(pane)s::interval, moment.at, '2000-01-01 00:00+00'::timestamptz) AS at,
    count(stood.views) AS personas,
    {post_counter_sums},
    coalesce(sum(stood.engagements), 0) AS engagements,
    coalesce(sum(stood.posts), 0) AS posts,
    coalesce(sum(stood.cost_micros), 0) AS cost_micros,
    coalesce(sum(stood.revenue_micros), 0) AS revenue_micros,
    sum(stood.viral_posts) AS viral_posts,
    sum(stood.revenue_projection_monthly_micros) AS revenue_projection_monthly_micros
FROM (SELECT DISTINCT date_bin(%(pane)s::interval, at, '2000-01-01 00:00+00'::timestamptz) AS at FROM moment) AS moment
CROSS JOIN chosen
CROSS JOIN LATERAL (
    SELECT * FROM kpi_updates AS kept
    WHERE kept.persona_id = chosen.persona_id AND kept.window_name = %(window)s AND kept.pane <= moment.at
    ORDER BY pane DESC LIMIT 1
) AS stood
GROUP BY moment.at
ORDER BY moment.at;

-- name: days
SELECT
    persona_id, day, {post_counters}, account_growth, posts,
    engagements, cost_micros, cost_dollars, unpriced_calls,
    revenue_micros, revenue_dollars, one_off_revenue_micros, recurring_revenue_micros, simulated_events,
    engagement_rate, cost_per_follow_dollars, cost_per_account_growth_dollars
FROM daily_kpis
WHERE
    (%(personas)s::text[] IS NULL OR persona_id = ANY(%(personas)s))
    AND (%(since)s::date IS NULL OR day >= %(since)s)
    AND (%(until)s::date IS NULL OR day < %(until)s)
    AND (%(after_day)s::date IS NULL OR (day, persona_id) > (%(after_day)s, %(after_persona)s::text))
ORDER BY day, persona_id
LIMIT %(limit)s;

-- name: drafts
-- The newest first, each with the review that stands of its present text.
SELECT
    drafts.draft_id, drafts.persona_id, request_id, status, score, threshold, features, reasons,
    near_duplicate_id, near_duplicate_similarity,
    model, prompt_tokens, completion_tokens, cost_micros, cost_dollars, latency_ms,
    language, text, generated_at, decided_at,
    encode(sha256(convert_to(text, 'UTF8')), 'hex') AS content_digest,
    review.*
FROM drafts
LEFT JOIN LATERAL ({review_in_force}) AS review ON TRUE
WHERE
    (%(draft)s::text IS NULL OR drafts.draft_id = %(draft)s)
    AND (%(personas)s::text[] IS NULL OR drafts.persona_id = ANY(%(personas)s))
    AND (%(status)s::text IS NULL OR status = %(status)s)
    AND (%(before_at)s::timestamptz IS NULL OR (generated_at, drafts.draft_id) < (%(before_at)s, %(before_id)s::text))
ORDER BY generated_at DESC, drafts.draft_id DESC
LIMIT %(limit)s;

-- name: publications
-- The newest state of each part, what changed last first.
SELECT
    publication_id, part, parts, sequence, state, persona_id, platform, account_id, draft_id, text, content_digest,
    due_at, container_id, post_id, permalink, attempt, reason, retryable, simulated, changed_at
FROM publications
WHERE
    (%(personas)s::text[] IS NULL OR persona_id = ANY(%(personas)s))
    AND (%(state)s::text IS NULL OR state = %(state)s)
    AND (%(draft)s::text IS NULL OR draft_id = %(draft)s)
    AND (
        %(before_at)s::timestamptz IS NULL
        OR (changed_at, publication_id, part) < (%(before_at)s, %(before_id)s::text, %(before_part)s::integer)
    )
ORDER BY changed_at DESC, publication_id DESC, part DESC
LIMIT %(limit)s;

-- name: publication
-- All parts of one publication.
SELECT
    publication_id, part, parts, sequence, state, persona_id, platform, account_id, draft_id, text, content_digest,
    due_at, container_id, post_id, permalink, attempt, reason, retryable, simulated, changed_at
FROM publications
WHERE publication_id = %(publication)s
ORDER BY part;

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
WHERE %(personas)s::text[] IS NULL OR persona_id = ANY(%(personas)s)
GROUP BY GROUPING SETS ((persona_id, model), ())
ORDER BY grouping(persona_id), persona_id, model;

-- name: savings
-- The last row, without measure, is the total. Money that is unknown is counted by its calls, not guessed.
WITH bill AS (
    SELECT coalesce(sum(cost_micros), 0) AS micros, count(*) FILTER (WHERE cost_micros IS NULL) AS unpriced_calls
    FROM costs
    WHERE %(personas)s::text[] IS NULL OR persona_id = ANY(%(personas)s)
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
    WHERE %(personas)s::text[] IS NULL OR persona_id = ANY(%(personas)s)
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

-- name: dead_letters
-- The newest first; of a record's value as many bytes as are asked for.
SELECT
    event_id, occurred_at, consumer, source_topic, source_partition, source_offset, source_timestamp,
    record_key, substring(record_value FROM 1 FOR %(most_bytes)s::integer) AS value,
    octet_length(record_value) AS size, headers, error_class, reason
FROM dead_letters
WHERE
    (%(letter)s::text IS NULL OR event_id = %(letter)s)
    AND (%(topic)s::text IS NULL OR source_topic = %(topic)s)
    AND (%(consumer)s::text IS NULL OR consumer = %(consumer)s)
    AND (%(contains)s::text IS NULL OR strpos(lower(reason), lower(%(contains)s)) > 0)
    AND (%(since)s::timestamptz IS NULL OR occurred_at >= %(since)s)
    AND (%(before_at)s::timestamptz IS NULL OR (occurred_at, event_id) < (%(before_at)s, %(before_id)s::text))
ORDER BY occurred_at DESC, event_id DESC
LIMIT %(limit)s;
