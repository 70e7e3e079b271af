SELECT
    persona_id AS persona,
    post_id AS post,
    published_at AS published,
    published_at_from AS "published by",
    engagements,
    views,
    engagement_rate AS "engagement rate",
    viral,
    clicks,
    follows,
    first_hour_views AS "first hour views",
    first_day_views AS "first day views",
    first_day_growth AS "first day growth",
    simulated_events AS "simulated events"
FROM post_kpis
WHERE $__timeFilter(published_at) AND persona_id = ANY(ARRAY[${persona:sqlstring}]::text[])
ORDER BY views DESC, persona_id, post_id
LIMIT 50;
