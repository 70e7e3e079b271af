-- Records that could not be processed, as they came; see topic dead.letters.

CREATE TABLE dead_letters (
    event_id text PRIMARY KEY,
    occurred_at timestamptz NOT NULL,
    consumer text NOT NULL,
    source_topic text NOT NULL,
    source_partition integer NOT NULL,
    source_offset bigint NOT NULL,
    source_timestamp timestamptz NOT NULL,
    record_key bytea,
    record_value bytea,
    headers jsonb NOT NULL,  -- [{"name": text, "value": base64 text or null}]
    error_class text NOT NULL,
    reason text NOT NULL,
    letter_partition integer NOT NULL,
    letter_offset bigint NOT NULL
);
CREATE INDEX dead_letters_by_source ON dead_letters (source_topic, occurred_at);
COMMENT ON COLUMN dead_letters.letter_offset IS 'Offset of the letter itself in dead.letters.';
