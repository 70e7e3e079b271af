-- name: stage
CREATE TEMPORARY TABLE IF NOT EXISTS staged_personas (LIKE personas) ON COMMIT DELETE ROWS;

-- name: clear
TRUNCATE staged_personas;

-- name: copy
COPY staged_personas (
    persona_id, version, definition, applied_at, source_partition, source_offset
) FROM STDIN;

-- name: merge
-- The last in the log is in force.
INSERT INTO personas AS kept (
    persona_id, version, definition, applied_at, source_partition, source_offset
)
SELECT DISTINCT ON (persona_id)
    persona_id, version, definition, applied_at, source_partition, source_offset
FROM staged_personas
ORDER BY persona_id, source_partition DESC, source_offset DESC
ON CONFLICT (persona_id) DO UPDATE SET
    version = EXCLUDED.version,
    definition = EXCLUDED.definition,
    applied_at = EXCLUDED.applied_at,
    source_partition = EXCLUDED.source_partition,
    source_offset = EXCLUDED.source_offset
WHERE
    (EXCLUDED.source_partition, EXCLUDED.source_offset) > (kept.source_partition, kept.source_offset);
