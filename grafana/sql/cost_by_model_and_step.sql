SELECT
    model,
    step,
    count(*) AS calls,
    sum(prompt_tokens) AS "prompt tokens",
    sum(cached_tokens) AS "cached tokens",
    sum(completion_tokens) AS "completion tokens",
    sum(reasoning_tokens) AS "reasoning tokens",
    sum(cost_micros) / 1000000::numeric AS cost,
    avg(cost_micros) / 1000000::numeric AS "cost a call",
    avg(latency_ms)::double precision AS "mean latency",
    count(*) FILTER (WHERE cost_micros IS NULL) AS "unpriced calls"
FROM costs
WHERE $__timeFilter(occurred_at) AND persona_id = ANY(ARRAY[${persona:sqlstring}]::text[])
GROUP BY model, step
ORDER BY cost DESC NULLS LAST, model, step;
