-- How a draft came about: the steps of the graph, revisions and what the guard said; and what a request says besides its
-- brief. Rows of before hold the defaults that the schemas give to records of before.

ALTER TABLE requests
    ADD COLUMN trend text,
    ADD COLUMN deadline text NOT NULL DEFAULT 'now';

ALTER TABLE drafts
    ADD COLUMN call_to_action text,
    ADD COLUMN revisions bigint NOT NULL DEFAULT 0,
    ADD COLUMN guard_reasons text[] NOT NULL DEFAULT '{}',
    ADD COLUMN steps jsonb NOT NULL DEFAULT '[]';
COMMENT ON COLUMN drafts.steps IS
    'Nodes of the graph in the order they ran: name, outcome, model, latency_ms, prompt_tokens, completion_tokens, cost_micros.';

-- One request's path: its drafts, its calls, and the dead letters of its records.
CREATE INDEX drafts_by_request ON drafts (request_id);
CREATE INDEX costs_by_request ON costs (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX dead_letters_by_place ON dead_letters (source_topic, source_partition, source_offset);
