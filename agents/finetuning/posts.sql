-- Posts that came from accepted drafts, with the brief they were asked by and what they brought.
-- One row a post; a draft that was published on several platforms has several.
SELECT
    drafts.draft_id,
    drafts.persona_id,
    drafts.language,
    requests.brief,
    drafts.hook,
    drafts.body,
    post_kpis.post_id,
    post_kpis.published_at,
    post_kpis.views::bigint AS views,
    post_kpis.engagements::bigint AS engagements,
    (posts.simulated OR post_kpis.simulated_events > 0) AS simulated,
    personas.definition
FROM drafts
JOIN requests ON requests.event_id = drafts.request_id
JOIN posts ON posts.draft_id = drafts.draft_id
JOIN post_kpis ON post_kpis.persona_id = posts.persona_id AND post_kpis.post_id = posts.post_id
JOIN personas ON personas.persona_id = drafts.persona_id
WHERE drafts.status = 'accepted' AND (%(persona_id)s::text IS NULL OR drafts.persona_id = %(persona_id)s)
ORDER BY drafts.draft_id, post_kpis.post_id
