-- Posts of the last days with what they brought in ten minutes, an hour and a day. What a platform told as a total is
-- counted when it was asked for.
WITH published AS (
    SELECT
        persona_id, post_id, min(occurred_at) AS published_at, min(text) AS text,
        bool_or(simulated) AS simulated
    FROM posts
    WHERE
        occurred_at > now() - %(days)s::integer * interval '1 day'
        AND (%(persona_id)s::text IS NULL OR persona_id = %(persona_id)s)
    GROUP BY persona_id, post_id
),
counted AS (
    SELECT
        published.persona_id, published.post_id,
        engagement.kind = 'view' AS is_view,
        engagement.occurred_at - published.published_at AS age,
        engagement.count
    FROM published
    JOIN engagement ON engagement.post_id = published.post_id AND engagement.persona_id = published.persona_id
    WHERE
        engagement.kind IN ('view', 'like', 'reply', 'repost', 'quote', 'share')
        AND engagement.occurred_at < published.published_at + interval '1 day'
)
SELECT
    published.persona_id, published.post_id, published.published_at, published.text, published.simulated,
    coalesce(sum(count) FILTER (WHERE is_view AND age < interval '10 minutes'), 0)::bigint AS views_10m,
    coalesce(sum(count) FILTER (WHERE is_view AND age < interval '1 hour'), 0)::bigint AS views_1h,
    coalesce(sum(count) FILTER (WHERE is_view), 0)::bigint AS views_1d,
    coalesce(sum(count) FILTER (WHERE NOT is_view), 0)::bigint AS engagements_1d
FROM published
LEFT JOIN counted ON counted.persona_id = published.persona_id AND counted.post_id = published.post_id
GROUP BY published.persona_id, published.post_id, published.published_at, published.text, published.simulated
ORDER BY published.published_at, published.post_id
