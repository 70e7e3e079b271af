-- The texts of a persona's posts that engaged best, among those of the last 90 days that at least 100 saw.
SELECT posts.text
FROM post_kpis
JOIN posts USING (persona_id, post_id)
WHERE
    post_kpis.persona_id = %(persona_id)s
    AND post_kpis.views >= 100
    AND posts.occurred_at > now() - interval '90 days'
GROUP BY posts.text
ORDER BY max(post_kpis.engagement_rate) DESC
LIMIT 3
