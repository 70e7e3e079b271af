-- name: stage
CREATE TEMPORARY TABLE IF NOT EXISTS staged_budget_alerts (LIKE budget_alerts) ON COMMIT DELETE ROWS;

-- name: clear
TRUNCATE staged_budget_alerts;

-- name: copy
COPY staged_budget_alerts (
    event_id, persona_id, kind, period, period_start, spent_micros, limit_micros, occurred_at, source_partition,
    source_offset
) FROM STDIN;

-- name: merge
-- Of alerts with one id the first in the log stays.
INSERT INTO budget_alerts AS kept (
    event_id, persona_id, kind, period, period_start, spent_micros, limit_micros, occurred_at, source_partition,
    source_offset
)
SELECT DISTINCT ON (event_id)
    event_id, persona_id, kind, period, period_start, spent_micros, limit_micros, occurred_at, source_partition,
    source_offset
FROM staged_budget_alerts
ORDER BY event_id, source_partition, source_offset
ON CONFLICT (event_id) DO UPDATE SET
    persona_id = EXCLUDED.persona_id,
    kind = EXCLUDED.kind,
    period = EXCLUDED.period,
    period_start = EXCLUDED.period_start,
    spent_micros = EXCLUDED.spent_micros,
    limit_micros = EXCLUDED.limit_micros,
    occurred_at = EXCLUDED.occurred_at,
    source_partition = EXCLUDED.source_partition,
    source_offset = EXCLUDED.source_offset
WHERE
    (EXCLUDED.source_partition, EXCLUDED.source_offset) < (kept.source_partition, kept.source_offset);
