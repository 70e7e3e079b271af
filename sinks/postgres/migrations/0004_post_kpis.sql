-- KPIs by post and by UTC day. Totals are kept by the sink in the transaction that changes the facts they count
-- (sql/totals.sql): they are what the facts say at every commit, after a replay too, and are read at once however many
-- events there are. Counts are numeric: one event may count up to 2^63 - 1, and a sum must not overflow.

CREATE INDEX engagement_by_post ON engagement (post_id);
DROP INDEX posts_by_post;
CREATE INDEX posts_by_post ON posts (post_id, persona_id, occurred_at);

CREATE TABLE post_totals (
    persona_id text NOT NULL,
    post_id text NOT NULL,
    counted_from timestamptz,
    is_published boolean NOT NULL,
    stale boolean NOT NULL,
    events bigint NOT NULL DEFAULT 0,
    simulated_events bigint NOT NULL DEFAULT 0,
    views numeric NOT NULL DEFAULT 0,
    likes numeric NOT NULL DEFAULT 0,
    replies numeric NOT NULL DEFAULT 0,
    reposts numeric NOT NULL DEFAULT 0,
    quotes numeric NOT NULL DEFAULT 0,
    shares numeric NOT NULL DEFAULT 0,
    clicks numeric NOT NULL DEFAULT 0,
    follows numeric NOT NULL DEFAULT 0,
    first_hour_views numeric NOT NULL DEFAULT 0,
    first_hour_engagements numeric NOT NULL DEFAULT 0,
    first_day_views numeric NOT NULL DEFAULT 0,
    first_day_engagements numeric NOT NULL DEFAULT 0,
    PRIMARY KEY (persona_id, post_id)
) WITH (fillfactor = 70);  -- room for updates in place: most posts change again
CREATE INDEX post_totals_stale ON post_totals (persona_id, post_id) WHERE stale;
COMMENT ON COLUMN post_totals.counted_from IS
    'Start of the first hour and the first day: the least occurred_at of the post''s posts.published records, and where '
    'there is none of its engagement.';
COMMENT ON COLUMN post_totals.stale IS
    'The start has moved in the transaction that is under way; never true in what is committed.';

CREATE TABLE day_totals (
    persona_id text NOT NULL,
    day date NOT NULL,  -- UTC, of the event's own time
    kind text NOT NULL,
    simulated boolean NOT NULL,
    count numeric NOT NULL,
    events bigint NOT NULL,
    PRIMARY KEY (persona_id, day, kind, simulated)
) WITH (fillfactor = 70);

INSERT INTO day_totals (persona_id, day, kind, simulated, count, events)
SELECT persona_id, (occurred_at AT TIME ZONE 'UTC')::date, kind, simulated, sum(count), count(*)
FROM engagement
GROUP BY 1, 2, 3, 4;

WITH published AS (
    SELECT persona_id, post_id, min(occurred_at) AS published_at FROM posts GROUP BY persona_id, post_id
),
engaged AS (
    SELECT
        persona_id, post_id, min(occurred_at) AS first_at,
        count(*) AS events, count(*) FILTER (WHERE simulated) AS simulated_events,
        sum(count) FILTER (WHERE kind = 'view') AS views,
        sum(count) FILTER (WHERE kind = 'like') AS likes,
        sum(count) FILTER (WHERE kind = 'reply') AS replies,
        sum(count) FILTER (WHERE kind = 'repost') AS reposts,
        sum(count) FILTER (WHERE kind = 'quote') AS quotes,
        sum(count) FILTER (WHERE kind = 'share') AS shares,
        sum(count) FILTER (WHERE kind = 'click') AS clicks,
        sum(count) FILTER (WHERE kind = 'follow') AS follows
    FROM engagement
    WHERE post_id IS NOT NULL AND kind <> 'follower_change'
    GROUP BY persona_id, post_id
),
placed AS (
    SELECT *, coalesce(published_at, first_at) AS counted_from
    FROM published
    FULL JOIN engaged USING (persona_id, post_id)
),
early AS (
    SELECT
        persona_id, post_id,
        sum(count) FILTER (WHERE kind = 'view' AND in_first_hour) AS first_hour_views,
        sum(count) FILTER (WHERE kind <> 'view' AND in_first_hour) AS first_hour_engagements,
        sum(count) FILTER (WHERE kind = 'view') AS first_day_views,
        sum(count) FILTER (WHERE kind <> 'view') AS first_day_engagements
    FROM (
        SELECT persona_id, post_id, kind, count, occurred_at < counted_from + interval '1 hour' AS in_first_hour
        FROM engagement
        JOIN placed USING (persona_id, post_id)
        WHERE
            kind IN ('view', 'like', 'reply', 'repost', 'quote', 'share')
            AND occurred_at >= counted_from AND occurred_at < counted_from + interval '24 hours'
    ) AS first_day
    GROUP BY persona_id, post_id
)
INSERT INTO post_totals
SELECT
    persona_id, post_id, counted_from, published_at IS NOT NULL, FALSE,
    coalesce(events, 0), coalesce(simulated_events, 0),
    coalesce(views, 0), coalesce(likes, 0), coalesce(replies, 0), coalesce(reposts, 0),
    coalesce(quotes, 0), coalesce(shares, 0), coalesce(clicks, 0), coalesce(follows, 0),
    coalesce(first_hour_views, 0), coalesce(first_hour_engagements, 0),
    coalesce(first_day_views, 0), coalesce(first_day_engagements, 0)
FROM placed
LEFT JOIN early USING (persona_id, post_id);

CREATE VIEW post_kpis AS
SELECT
    persona_id, post_id, counted_from AS published_at,
    CASE WHEN is_published THEN 'publication' ELSE 'first engagement' END AS published_at_from,
    views, likes, replies, reposts, quotes, shares, clicks, follows,
    engagements,
    engagements::double precision / nullif(views, 0)::double precision AS engagement_rate,
    views >= 100 AND 10 * engagements > views AS viral,
    first_hour_views, first_hour_engagements, first_day_views, first_day_engagements,
    (first_day_views - first_hour_views)::double precision / nullif(first_hour_views, 0)::double precision
        AS first_day_growth,
    events, simulated_events
FROM (SELECT *, likes + replies + reposts + quotes + shares AS engagements FROM post_totals) AS counted;
COMMENT ON COLUMN post_kpis.viral IS 'Engagement rate over 10 % and at least 100 views; in whole numbers.';
COMMENT ON COLUMN post_kpis.first_day_growth IS
    'Views of hours 2 to 24 / views of the first hour; NULL where the first hour has none.';

CREATE OR REPLACE VIEW daily_engagement AS
SELECT
    persona_id, day, kind,
    sum(count) AS count,
    coalesce(sum(count) FILTER (WHERE simulated), 0) AS simulated_count,
    sum(events)::bigint AS events
FROM day_totals
GROUP BY persona_id, day, kind;

CREATE VIEW daily_kpis AS
SELECT
    *,
    cost_micros / 1000000::numeric AS cost_dollars,
    revenue_micros / 1000000::numeric AS revenue_dollars,
    engagements::double precision / nullif(views, 0)::double precision AS engagement_rate,
    CASE WHEN follows > 0 THEN (cost_micros / follows / 1000000)::double precision END AS cost_per_follow_dollars,
    CASE WHEN account_growth > 0 THEN (cost_micros / account_growth / 1000000)::double precision END
        AS cost_per_account_growth_dollars
FROM (
    SELECT
        persona_id, day,
        coalesce(sum(count) FILTER (WHERE kind = 'view'), 0) AS views,
        coalesce(sum(count) FILTER (WHERE kind = 'like'), 0) AS likes,
        coalesce(sum(count) FILTER (WHERE kind = 'reply'), 0) AS replies,
        coalesce(sum(count) FILTER (WHERE kind = 'repost'), 0) AS reposts,
        coalesce(sum(count) FILTER (WHERE kind = 'quote'), 0) AS quotes,
        coalesce(sum(count) FILTER (WHERE kind = 'share'), 0) AS shares,
        coalesce(sum(count) FILTER (WHERE kind = 'click'), 0) AS clicks,
        coalesce(sum(count) FILTER (WHERE kind = 'follow'), 0) AS follows,
        coalesce(sum(count) FILTER (WHERE kind = 'follower_change'), 0) AS account_growth,
        coalesce(sum(count) FILTER (WHERE kind IN ('like', 'reply', 'repost', 'quote', 'share')), 0) AS engagements,
        coalesce(sum(count) FILTER (WHERE kind = 'post'), 0) AS posts,
        coalesce(sum(count) FILTER (WHERE kind = 'cost'), 0) AS cost_micros,
        count(*) FILTER (WHERE kind = 'cost' AND count IS NULL) AS unpriced_calls,
        coalesce(sum(count) FILTER (WHERE kind IN ('affiliate', 'lead', 'sale', 'subscription_payment')), 0)
            AS revenue_micros,
        coalesce(sum(count) FILTER (WHERE kind IN ('affiliate', 'lead', 'sale')), 0) AS one_off_revenue_micros,
        coalesce(sum(count) FILTER (WHERE kind = 'subscription_started'), 0)
        - coalesce(sum(count) FILTER (WHERE kind = 'subscription_ended'), 0) AS recurring_revenue_micros,
        coalesce(sum(simulated_events), 0) AS simulated_events
    FROM (
        SELECT persona_id, day, kind, count, CASE WHEN simulated THEN events ELSE 0 END AS simulated_events
        FROM day_totals
        UNION ALL
        SELECT persona_id, (occurred_at AT TIME ZONE 'UTC')::date, 'post', 1, simulated::integer
        FROM posts
        UNION ALL
        SELECT persona_id, (occurred_at AT TIME ZONE 'UTC')::date, 'cost', cost_micros, 0
        FROM costs
        UNION ALL
        SELECT persona_id, (occurred_at AT TIME ZONE 'UTC')::date, kind, amount_micros, simulated::integer
        FROM revenue
    ) AS facts
    GROUP BY persona_id, day
) AS counted;
COMMENT ON VIEW daily_kpis IS
    'The daily history: what happened on a UTC day by the events'' own time, however late they came.';
