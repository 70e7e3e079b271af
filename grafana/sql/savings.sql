WITH bill AS (
    SELECT coalesce(sum(cost_micros), 0) AS micros
    FROM costs
    WHERE $__timeFilter(occurred_at) AND persona_id = ANY(ARRAY[${persona:sqlstring}]::text[])
),

saved AS (
    SELECT
        measure,
        count(*) AS calls,
        sum(prompt_tokens) AS prompt_tokens,
        sum(completion_tokens) AS completion_tokens,
        sum(saved_micros) AS micros,
        count(*) FILTER (WHERE saved_micros IS NULL) AS unknown_calls
    FROM savings
    WHERE $__timeFilter(occurred_at) AND persona_id = ANY(ARRAY[${persona:sqlstring}]::text[])
    GROUP BY measure
),

without AS (
    SELECT (SELECT micros FROM bill) + coalesce(sum(micros), 0) AS micros
    FROM saved
)

SELECT
    saved.measure,
    saved.calls,
    saved.prompt_tokens AS "prompt tokens",
    saved.completion_tokens AS "completion tokens",
    saved.micros / 1000000::numeric AS saved,
    without.micros / 1000000::numeric AS "bill without",
    (saved.micros / nullif(without.micros, 0))::double precision AS "share of it",
    saved.unknown_calls AS "saving unknown"
FROM saved
CROSS JOIN without
ORDER BY saved.micros DESC NULLS LAST, saved.measure;
