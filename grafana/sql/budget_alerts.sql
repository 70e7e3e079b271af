SELECT
    occurred_at AS told,
    CASE persona_id WHEN '*' THEN 'all personas' ELSE persona_id END AS persona,
    kind AS alert,
    period,
    period_start AS "period from",
    spent_dollars AS spent,
    limit_dollars AS "limit",
    (spent_micros::numeric / nullif(limit_micros, 0))::double precision AS "share of it"
FROM budget_alerts
WHERE
    $__timeFilter(occurred_at)
    AND cardinality(ARRAY[${persona:sqlstring}]::text[]) > 0
    AND persona_id = ANY(ARRAY[${persona:sqlstring}]::text[] || '*'::text)
ORDER BY occurred_at DESC, persona_id
LIMIT 50;
