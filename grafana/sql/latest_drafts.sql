SELECT
    generated_at AS generated,
    draft_id AS draft,
    persona_id AS persona,
    status,
    score,
    threshold,
    array_to_string(reasons, '; ') AS reasons,
    near_duplicate_id AS resembles,
    near_duplicate_similarity AS similarity,
    model,
    cost_dollars AS cost,
    text
FROM drafts
WHERE $__timeFilter(generated_at) AND persona_id = ANY(ARRAY[${persona:sqlstring}]::text[])
ORDER BY generated_at DESC, draft_id
LIMIT 50;
