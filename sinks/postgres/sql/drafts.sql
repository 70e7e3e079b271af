-- name: stage
CREATE TEMPORARY TABLE IF NOT EXISTS staged_drafts (LIKE drafts) ON COMMIT DELETE ROWS;

-- name: clear
TRUNCATE staged_drafts;

-- name: copy
COPY staged_drafts (
    draft_id, persona_id, request_id, status, persona_version, hook, body, text, language, model, prompt_tokens,
    completion_tokens, cost_micros, latency_ms, generated_at, score, threshold, passed, features, reasons,
    near_duplicate_id, near_duplicate_similarity, embedding_model, decided_at, call_to_action, revisions, guard_reasons,
    steps, precedence, event_at, source_topic, source_partition, source_offset
) FROM STDIN;

-- name: merge
-- Each event of a draft holds all that earlier stages said of it, so the furthest one makes the row; of equals the earliest.
INSERT INTO drafts AS kept (
    draft_id, persona_id, request_id, status, persona_version, hook, body, text, language, model, prompt_tokens,
    completion_tokens, cost_micros, latency_ms, generated_at, score, threshold, passed, features, reasons,
    near_duplicate_id, near_duplicate_similarity, embedding_model, decided_at, call_to_action, revisions, guard_reasons,
    steps, precedence, event_at, source_topic, source_partition, source_offset
)
SELECT DISTINCT ON (draft_id)
    draft_id, persona_id, request_id, status, persona_version, hook, body, text, language, model, prompt_tokens,
    completion_tokens, cost_micros, latency_ms, generated_at, score, threshold, passed, features, reasons,
    near_duplicate_id, near_duplicate_similarity, embedding_model, decided_at, call_to_action, revisions, guard_reasons,
    steps, precedence, event_at, source_topic, source_partition, source_offset
FROM staged_drafts
ORDER BY draft_id, precedence, event_at, source_topic, source_partition, source_offset
ON CONFLICT (draft_id) DO UPDATE SET
    persona_id = EXCLUDED.persona_id,
    request_id = EXCLUDED.request_id,
    status = EXCLUDED.status,
    persona_version = EXCLUDED.persona_version,
    hook = EXCLUDED.hook,
    body = EXCLUDED.body,
    text = EXCLUDED.text,
    language = EXCLUDED.language,
    model = EXCLUDED.model,
    prompt_tokens = EXCLUDED.prompt_tokens,
    completion_tokens = EXCLUDED.completion_tokens,
    cost_micros = EXCLUDED.cost_micros,
    latency_ms = EXCLUDED.latency_ms,
    generated_at = EXCLUDED.generated_at,
    score = EXCLUDED.score,
    threshold = EXCLUDED.threshold,
    passed = EXCLUDED.passed,
    features = EXCLUDED.features,
    reasons = EXCLUDED.reasons,
    near_duplicate_id = EXCLUDED.near_duplicate_id,
    near_duplicate_similarity = EXCLUDED.near_duplicate_similarity,
    embedding_model = EXCLUDED.embedding_model,
    decided_at = EXCLUDED.decided_at,
    call_to_action = EXCLUDED.call_to_action,
    revisions = EXCLUDED.revisions,
    guard_reasons = EXCLUDED.guard_reasons,
    steps = EXCLUDED.steps,
    precedence = EXCLUDED.precedence,
    event_at = EXCLUDED.event_at,
    source_topic = EXCLUDED.source_topic,
    source_partition = EXCLUDED.source_partition,
    source_offset = EXCLUDED.source_offset
WHERE
    (EXCLUDED.precedence, EXCLUDED.event_at, EXCLUDED.source_topic, EXCLUDED.source_partition, EXCLUDED.source_offset)
    < (kept.precedence, kept.event_at, kept.source_topic, kept.source_partition, kept.source_offset);
