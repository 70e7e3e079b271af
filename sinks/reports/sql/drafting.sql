-- name: totals
-- What came of requests, by persona; the last row, without persona, is the total. A request whose drafts are all decided
-- is `decided`, one of which some could not be written is `dead_lettered`, any other `open`: under way, or parked.
-- Seconds are those of the drafts' calls; tokens and money those of every call, drafts that came to nothing included.
WITH asked AS (
    SELECT
        requests.event_id, requests.persona_id, requests.draft_count,
        EXISTS (
            SELECT FROM dead_letters AS letter
            WHERE
                letter.source_topic = 'persona.requests'
                AND letter.source_partition = requests.source_partition
                AND letter.source_offset = requests.source_offset
        ) AS is_dead,
        (
            SELECT count(*) FROM drafts
            WHERE drafts.request_id = requests.event_id AND drafts.status IN ('accepted', 'rejected')
        ) AS decided
    FROM requests
    WHERE
        (%(persona)s::text IS NULL OR requests.persona_id = %(persona)s)
        AND (%(since)s::timestamptz IS NULL OR requests.occurred_at >= %(since)s)
),

of_requests AS (
    SELECT
        persona_id,
        count(*) AS requests,
        coalesce(sum(draft_count), 0) AS drafts_asked,
        count(*) FILTER (WHERE decided >= draft_count AND NOT is_dead) AS requests_decided,
        count(*) FILTER (WHERE is_dead) AS requests_dead_lettered,
        count(*) FILTER (WHERE decided < draft_count AND NOT is_dead) AS requests_open
    FROM asked
    GROUP BY GROUPING SETS ((persona_id), ())
),

of_drafts AS (
    SELECT
        asked.persona_id,
        count(*) AS drafts,
        count(*) FILTER (WHERE drafts.status = 'accepted') AS accepted,
        count(*) FILTER (WHERE drafts.status = 'rejected') AS rejected,
        count(*) FILTER (WHERE drafts.status IN ('generated', 'scored')) AS undecided,
        count(*) FILTER (WHERE drafts.revisions > 0) AS revised,
        avg(drafts.latency_ms)::double precision / 1000 AS seconds_mean,
        percentile_cont(0.95) WITHIN GROUP (ORDER BY drafts.latency_ms) / 1000 AS seconds_p95
    FROM asked
    INNER JOIN drafts ON asked.event_id = drafts.request_id
    GROUP BY GROUPING SETS ((asked.persona_id), ())
),

of_calls AS (
    SELECT
        asked.persona_id,
        count(*) AS calls,
        coalesce(sum(costs.prompt_tokens), 0) AS prompt_tokens,
        coalesce(sum(costs.completion_tokens), 0) AS completion_tokens,
        coalesce(sum(costs.cost_micros), 0) AS cost_micros,
        count(*) FILTER (WHERE costs.cost_micros IS NULL) AS unpriced_calls
    FROM asked
    INNER JOIN costs ON asked.event_id = costs.request_id
    GROUP BY GROUPING SETS ((asked.persona_id), ())
)

SELECT
    of_requests.*,
    coalesce(drafts, 0) AS drafts,
    coalesce(accepted, 0) AS accepted,
    coalesce(rejected, 0) AS rejected,
    coalesce(undecided, 0) AS undecided,
    coalesce(revised, 0) AS revised,
    seconds_mean, seconds_p95,
    coalesce(calls, 0) AS calls,
    coalesce(prompt_tokens, 0) AS prompt_tokens,
    coalesce(completion_tokens, 0) AS completion_tokens,
    coalesce(cost_micros, 0) AS cost_micros,
    coalesce(unpriced_calls, 0) AS unpriced_calls
FROM of_requests
LEFT JOIN of_drafts ON coalesce(of_drafts.persona_id, '') = coalesce(of_requests.persona_id, '')
LEFT JOIN of_calls ON coalesce(of_calls.persona_id, '') = coalesce(of_requests.persona_id, '')
ORDER BY of_requests.persona_id NULLS LAST;

-- name: why
-- Why drafts were rejected, by the class of their first reason, and why requests came to nothing, or to less than asked.
WITH asked AS (
    SELECT event_id, source_partition, source_offset
    FROM requests
    WHERE
        (%(persona)s::text IS NULL OR persona_id = %(persona)s)
        AND (%(since)s::timestamptz IS NULL OR occurred_at >= %(since)s)
),

found AS (
    SELECT
        'rejected' AS outcome,
        coalesce(
            substring(drafts.reasons[1] FROM '^quality: (safety|coherence|language)'),
            nullif(split_part(drafts.reasons[1], ':', 1), ''),
            'no reason given'
        ) AS reason
    FROM asked
    INNER JOIN drafts ON asked.event_id = drafts.request_id
    WHERE drafts.status = 'rejected'
    UNION ALL
    SELECT
        'dead letter',
        coalesce(substring(letter.reason FROM 'could not be: draft \d+: ([^(;]*[^(; ])'), split_part(letter.reason, ':', 1))
    FROM asked
    INNER JOIN dead_letters AS letter
        ON
            letter.source_topic = 'persona.requests'
            AND asked.source_partition = letter.source_partition
            AND asked.source_offset = letter.source_offset
)

SELECT outcome, reason, count(*) AS count
FROM found
GROUP BY outcome, reason
ORDER BY outcome DESC, count DESC, reason;

-- name: requests
-- Where requests are, the newest first. `paused` are the personas whose budget lets nothing be written, * for all.
SELECT
    request.*,
    coalesce(bill.cost_micros, 0) AS cost_micros, bill.calls, bill.unpriced_calls
FROM (
    SELECT
        requests.event_id AS request_id, persona_id, brief, language, trend, deadline, draft_count, occurred_at,
        outcome.drafts, outcome.accepted, outcome.rejected, dead.reasons,
        CASE
            WHEN dead.reasons IS NOT NULL THEN 'dead_lettered'
            WHEN outcome.accepted + outcome.rejected >= draft_count THEN 'decided'
            WHEN
                outcome.drafts = 0
                AND (deadline = 'tomorrow' OR ARRAY[persona_id, '*'] && %(paused)s::text[])
                THEN 'parked'
            ELSE 'writing'
        END AS status
    FROM requests
    CROSS JOIN LATERAL (
        SELECT
            count(*) AS drafts,
            count(*) FILTER (WHERE status = 'accepted') AS accepted,
            count(*) FILTER (WHERE status = 'rejected') AS rejected
        FROM drafts
        WHERE drafts.request_id = requests.event_id
    ) AS outcome
    CROSS JOIN LATERAL (
        SELECT array_agg(DISTINCT reason) AS reasons
        FROM dead_letters AS letter
        WHERE
            letter.source_topic = 'persona.requests'
            AND letter.source_partition = requests.source_partition
            AND letter.source_offset = requests.source_offset
    ) AS dead
    WHERE
        (%(request)s::text IS NULL OR requests.event_id = %(request)s)
        AND (%(personas)s::text[] IS NULL OR persona_id = ANY(%(personas)s))
        AND (%(before_at)s::timestamptz IS NULL OR (occurred_at, event_id) < (%(before_at)s, %(before_id)s::text))
) AS request
CROSS JOIN LATERAL (
    SELECT sum(cost_micros) AS cost_micros, count(*) AS calls, count(*) - count(cost_micros) AS unpriced_calls
    FROM costs
    WHERE costs.request_id = request.request_id
) AS bill
WHERE %(status)s::text IS NULL OR request.status = %(status)s
ORDER BY request.occurred_at DESC, request.request_id DESC
LIMIT %(limit)s;

-- name: request
-- By the id of a request, or of one of its drafts.
SELECT event_id, persona_id, brief, language, draft_count, trend, deadline, occurred_at, source_partition, source_offset
FROM requests
WHERE event_id = coalesce((SELECT request_id FROM drafts WHERE draft_id = %(id)s), %(id)s);

-- name: drafts
SELECT
    drafts.draft_id, persona_version, status, language, model, hook, body, call_to_action, text, revisions, guard_reasons, steps,
    prompt_tokens, completion_tokens, cost_micros, latency_ms, generated_at,
    score, threshold, passed, features, reasons, near_duplicate_id, near_duplicate_similarity, embedding_model, decided_at,
    drafts.source_topic, drafts.source_partition, drafts.source_offset,
    encode(sha256(convert_to(text, 'UTF8')), 'hex') AS content_digest,
    review.*
FROM drafts
LEFT JOIN LATERAL ({review_in_force}) AS review ON TRUE
WHERE request_id = %(id)s
ORDER BY generated_at, drafts.draft_id;

-- name: calls
SELECT
    event_id, occurred_at, step, model, prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens, cost_micros,
    latency_ms
FROM costs
WHERE request_id = %(id)s
ORDER BY occurred_at, source_partition, source_offset, event_id;

-- name: letters
-- The dead letters of the request's own record, and of the last record of each of its drafts.
SELECT DISTINCT ON (letter.occurred_at, letter.event_id)
    letter.event_id, letter.occurred_at, letter.consumer, letter.source_topic, letter.source_partition,
    letter.source_offset, letter.error_class, letter.reason
FROM dead_letters AS letter
INNER JOIN (
    SELECT 'persona.requests' AS topic, source_partition, source_offset FROM requests WHERE event_id = %(id)s
    UNION ALL
    SELECT source_topic, source_partition, source_offset FROM drafts WHERE request_id = %(id)s
) AS place
    ON
        letter.source_topic = place.topic
        AND letter.source_partition = place.source_partition
        AND letter.source_offset = place.source_offset
ORDER BY letter.occurred_at, letter.event_id;
