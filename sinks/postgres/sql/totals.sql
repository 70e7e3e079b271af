-- name: stage
CREATE TEMPORARY TABLE IF NOT EXISTS staged_day_totals (LIKE day_totals) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS staged_post_totals (LIKE post_totals) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS published_posts (persona_id text, post_id text) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS touched_posts (number integer, persona_id text, post_id text)
ON COMMIT DELETE ROWS;

-- name: copy_days
COPY staged_day_totals (persona_id, day, kind, simulated, count, events) FROM STDIN (FORMAT csv);

-- name: add_days
-- What is staged is in the order of the key: workers lock rows in one order.
INSERT INTO day_totals AS kept (persona_id, day, kind, simulated, count, events)
SELECT persona_id, day, kind, simulated, count, events FROM staged_day_totals
ON CONFLICT (persona_id, day, kind, simulated) DO UPDATE SET
    count = kept.count + EXCLUDED.count,
    events = kept.events + EXCLUDED.events;

-- name: forget_days
DELETE FROM day_totals AS kept
USING staged_day_totals AS staged
WHERE
    staged.events < 0 AND kept.events = 0
    AND (kept.persona_id, kept.day, kept.kind, kept.simulated)
    = (staged.persona_id, staged.day, staged.kind, staged.simulated);

-- name: copy_published
COPY published_posts (persona_id, post_id) FROM STDIN (FORMAT csv);

-- name: publish
-- A post whose start is not what its records say is lost: `locate` looks it up.
INSERT INTO post_totals AS kept (persona_id, post_id, counted_from, is_published, stale)
SELECT
    published.persona_id, published.post_id, min(posts.occurred_at),
    count(posts.occurred_at) > 0, count(posts.occurred_at) = 0
FROM published_posts AS published
LEFT JOIN posts ON posts.post_id = published.post_id AND posts.persona_id = published.persona_id
GROUP BY published.persona_id, published.post_id
ORDER BY published.persona_id, published.post_id
ON CONFLICT (persona_id, post_id) DO UPDATE SET counted_from = NULL, stale = TRUE
WHERE NOT kept.is_published OR kept.counted_from IS DISTINCT FROM EXCLUDED.counted_from;

-- name: copy_touched
COPY touched_posts (number, persona_id, post_id) FROM STDIN (FORMAT csv);

-- name: starts
COPY (
    SELECT
        touched_posts.number,
        (extract(epoch FROM kept.counted_from) * 1000)::bigint AS counted_from,
        kept.is_published::integer AS is_published
    FROM
        touched_posts,
        LATERAL (
            SELECT counted_from, is_published
            FROM post_totals
            WHERE persona_id = touched_posts.persona_id AND post_id = touched_posts.post_id
            OFFSET 0
        ) AS kept
) TO STDOUT (FORMAT csv, HEADER);

-- name: copy_posts
COPY staged_post_totals (
    persona_id, post_id, counted_from, is_published, stale, events, simulated_events, total_events,
    {counters},
    first_hour_views, first_hour_engagements, first_day_views, first_day_engagements
) FROM STDIN (FORMAT csv);

-- name: add_posts
-- What is staged was summed from a start. Where the post has another by now, or lost an event, it is stale. What is
-- staged is in the order of the key: workers lock rows in one order.
INSERT INTO post_totals AS kept (
    persona_id, post_id, counted_from, is_published, stale, events, simulated_events, total_events,
    {counters},
    first_hour_views, first_hour_engagements, first_day_views, first_day_engagements
)
SELECT
    persona_id, post_id, counted_from, is_published, stale, events, simulated_events, total_events,
    {counters},
    first_hour_views, first_hour_engagements, first_day_views, first_day_engagements
FROM staged_post_totals
ON CONFLICT (persona_id, post_id) DO UPDATE SET
    counted_from = CASE
        WHEN EXCLUDED.stale OR kept.counted_from IS NULL THEN NULL
        WHEN kept.is_published THEN kept.counted_from
        ELSE least(kept.counted_from, EXCLUDED.counted_from)
    END,
    stale = kept.stale OR EXCLUDED.stale OR kept.counted_from IS DISTINCT FROM EXCLUDED.counted_from,
    events = kept.events + EXCLUDED.events,
    simulated_events = kept.simulated_events + EXCLUDED.simulated_events,
    total_events = kept.total_events + EXCLUDED.total_events,
    {counter_sums},
    first_hour_views = kept.first_hour_views + EXCLUDED.first_hour_views,
    first_hour_engagements = kept.first_hour_engagements + EXCLUDED.first_hour_engagements,
    first_day_views = kept.first_day_views + EXCLUDED.first_day_views,
    first_day_engagements = kept.first_day_engagements + EXCLUDED.first_day_engagements;

-- name: locate
-- Where a record was taken back or a post was published, its start is looked up among the facts.
UPDATE post_totals AS lost SET (is_published, counted_from) = (
    SELECT published_at IS NOT NULL, coalesce(published_at, first_at)
    FROM
        (
            SELECT min(occurred_at) AS published_at
            FROM posts
            WHERE posts.post_id = lost.post_id AND posts.persona_id = lost.persona_id
        ) AS publication,
        (
            SELECT min(occurred_at) AS first_at
            FROM engagement
            WHERE post_id = lost.post_id AND persona_id = lost.persona_id AND kind IN ({post_kinds})
        ) AS engaged
)
WHERE stale AND counted_from IS NULL;

-- name: forget
DELETE FROM post_totals WHERE stale AND counted_from IS NULL;

-- name: settle
-- The first hour and the first day of posts whose start moved are summed again. Times are compared as differences, which
-- keeps the index by time out: it would be read as a whole for each post.
UPDATE post_totals AS moved SET
    stale = FALSE,
    (first_hour_views, first_hour_engagements, first_day_views, first_day_engagements) = (
        SELECT
            coalesce(sum(count) FILTER (WHERE kind = 'view' AND age < interval '1 hour'), 0),
            coalesce(sum(count) FILTER (WHERE kind IN ({engaging_kinds}) AND age < interval '1 hour'), 0),
            coalesce(sum(count) FILTER (WHERE kind = 'view'), 0),
            coalesce(sum(count) FILTER (WHERE kind IN ({engaging_kinds})), 0)
        FROM (
            SELECT kind, count, occurred_at - moved.counted_from AS age
            FROM engagement
            WHERE
                post_id = moved.post_id AND persona_id = moved.persona_id
                AND kind IN ('view', {engaging_kinds})
                AND basis <> 'total'
        ) AS engaged
        WHERE age >= interval '0' AND age < interval '24 hours'
    )
WHERE stale;
