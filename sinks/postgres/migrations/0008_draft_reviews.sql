-- Decisions on drafts by hand, and what lists by time and the present KPIs are read by.

CREATE TABLE draft_reviews (
    draft_id text NOT NULL,
    content_digest text NOT NULL,
    revision integer NOT NULL,
    event_id text NOT NULL,
    persona_id text NOT NULL,
    decision text NOT NULL CHECK (decision IN ('accepted', 'rejected')),
    reason text,
    reviewed_by text NOT NULL,
    reviewed_at timestamptz NOT NULL,
    source_partition integer NOT NULL,
    source_offset bigint NOT NULL,
    PRIMARY KEY (draft_id, content_digest, revision)
);
COMMENT ON TABLE draft_reviews IS
    'Of competing reviews, those of one text with one revision, the first in the log: least (partition, offset).';
COMMENT ON COLUMN draft_reviews.content_digest IS 'SHA-256 of the text that was decided on; another text is undecided.';

CREATE VIEW draft_reviews_in_force AS
SELECT DISTINCT ON (draft_id, content_digest) *
FROM draft_reviews
ORDER BY draft_id, content_digest, revision DESC;
COMMENT ON VIEW draft_reviews_in_force IS
    'The review that stands, by draft and text: of competing ones the first in the log, and of those the last revision.';

CREATE INDEX requests_by_time ON requests (occurred_at, event_id);
CREATE INDEX drafts_by_time ON drafts (generated_at, draft_id);
CREATE INDEX dead_letters_by_time ON dead_letters (occurred_at, event_id);

-- The same rows as before, each looked up in the index: of 576,000 rows 100 in 6 ms instead of 570.
CREATE OR REPLACE VIEW kpi_current AS
WITH RECURSIVE series AS (
    (SELECT persona_id, window_name FROM kpi_updates ORDER BY persona_id, window_name LIMIT 1)
    UNION ALL
    SELECT following.persona_id, following.window_name
    FROM
        series,
        LATERAL (
            SELECT persona_id, window_name
            FROM kpi_updates
            WHERE (persona_id, window_name) > (series.persona_id, series.window_name)
            ORDER BY persona_id, window_name
            LIMIT 1
        ) AS following
)
SELECT latest.*
FROM
    series,
    LATERAL (
        SELECT *
        FROM kpi_updates AS kept
        WHERE kept.persona_id = series.persona_id AND kept.window_name = series.window_name
        ORDER BY pane DESC
        LIMIT 1
    ) AS latest;
