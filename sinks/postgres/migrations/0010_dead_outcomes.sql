-- What was done with dead letters: the audit of redrives and drops; see topic dead.outcomes.

CREATE TABLE dead_outcomes (
    event_id text PRIMARY KEY,
    occurred_at timestamptz NOT NULL,
    letter_id text NOT NULL,
    outcome text NOT NULL,
    redrive_count integer NOT NULL,
    source_topic text NOT NULL,
    source_partition integer NOT NULL,
    source_offset bigint NOT NULL,
    target_partition integer,
    target_offset bigint,
    reason text,
    run_id text NOT NULL,
    run_letters integer NOT NULL,
    selection text NOT NULL,
    requested_by text NOT NULL,
    outcome_partition integer NOT NULL,
    outcome_offset bigint NOT NULL
);
CREATE INDEX dead_outcomes_by_letter ON dead_outcomes (letter_id, occurred_at);
CREATE INDEX dead_outcomes_by_run ON dead_outcomes (run_id);
COMMENT ON TABLE dead_outcomes IS
    'Each letter that was sent again, refused or dropped, with who ran it, when, and with how many others.';
COMMENT ON COLUMN dead_outcomes.run_letters IS
    'How many letters the run set out with; fewer rows of a run: it was cut off, and the next takes the rest.';
