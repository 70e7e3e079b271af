SELECT
    changed_at AS changed,
    publication_id AS publication,
    part + 1 || ' of ' || parts AS part,
    persona_id AS persona,
    state,
    platform,
    due_at AS due,
    attempt AS calls,
    post_id AS post,
    reason,
    simulated,
    text
FROM publications
WHERE $__timeFilter(changed_at) AND persona_id = ANY(ARRAY[${persona:sqlstring}]::text[])
ORDER BY changed_at DESC, publication_id, part
LIMIT 50;
