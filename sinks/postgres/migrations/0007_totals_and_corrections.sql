-- What a count is: what happened at that time (event), the difference of a post's total so far to the one known before
-- (total), or the difference to an earlier count of that time (correction). A total tells nothing of a post's first hour
-- and first day: where nothing else was counted in the first day these are NULL, not 0.

ALTER TABLE engagement ADD COLUMN basis text NOT NULL DEFAULT 'event';

ALTER TABLE post_totals ADD COLUMN total_events bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN post_totals.total_events IS 'Events of the basis total: they are in no sum of the first hour and day.';

CREATE OR REPLACE VIEW post_kpis AS
SELECT
    persona_id, post_id, counted_from AS published_at,
    CASE WHEN is_published THEN 'publication' ELSE 'first engagement' END AS published_at_from,
    views, likes, replies, reposts, quotes, shares, clicks, follows,
    engagements,
    engagements::double precision / nullif(views, 0)::double precision AS engagement_rate,
    views >= 100 AND 10 * engagements > views AS viral,
    CASE WHEN NOT start_unknown THEN first_hour_views END AS first_hour_views,
    CASE WHEN NOT start_unknown THEN first_hour_engagements END AS first_hour_engagements,
    CASE WHEN NOT start_unknown THEN first_day_views END AS first_day_views,
    CASE WHEN NOT start_unknown THEN first_day_engagements END AS first_day_engagements,
    (first_day_views - first_hour_views)::double precision / nullif(first_hour_views, 0)::double precision
        AS first_day_growth,
    events, simulated_events
FROM (
    SELECT
        *,
        likes + replies + reposts + quotes + shares AS engagements,
        total_events > 0 AND first_day_views = 0 AND first_day_engagements = 0 AS start_unknown
    FROM post_totals
) AS counted;
COMMENT ON COLUMN post_kpis.first_hour_views IS
    'NULL where only totals so far are known, which tell nothing of the first hour and day.';
