-- In which style drafts were asked, what was foretold of their hooks, and what their posts brought.

ALTER TABLE drafts
    ADD COLUMN hook_style text,
    ADD COLUMN hook_propensity double precision,
    ADD COLUMN arms_version text,
    ADD COLUMN experiment_id text,
    ADD COLUMN hook_model_version text,
    ADD COLUMN hook_win_probability double precision,
    ADD COLUMN hook_log_odds double precision;
COMMENT ON COLUMN drafts.hook_style IS 'Style of the hook it was asked in; null where nothing was chosen.';
COMMENT ON COLUMN drafts.hook_propensity IS 'Probability with which that style was chosen then.';
COMMENT ON COLUMN drafts.hook_win_probability IS
'Probability that readers take this hook and not the mean of its candidates, as foretold.';

CREATE TABLE hook_rewards (
    post_id text NOT NULL,
    age_hours integer NOT NULL,
    revision integer NOT NULL,
    event_id text NOT NULL,
    occurred_at timestamptz NOT NULL,
    persona_id text NOT NULL,
    causation_id text,
    draft_id text NOT NULL,
    published_at timestamptz NOT NULL,
    views bigint NOT NULL,
    engagements bigint NOT NULL,
    simulated boolean NOT NULL,
    hook_style text NOT NULL,
    hook_propensity double precision NOT NULL,
    arms_version text,
    experiment_id text,
    hook_model_version text,
    hook_win_probability double precision,
    hook_log_odds double precision,
    source_partition integer NOT NULL,
    source_offset bigint NOT NULL,
    PRIMARY KEY (post_id, age_hours)
);
COMMENT ON TABLE hook_rewards IS 'What a post of a chosen hook style had brought at a fixed age, hours.';
CREATE INDEX hook_rewards_by_persona ON hook_rewards (persona_id, age_hours, published_at);
