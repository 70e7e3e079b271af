-- Which blocks of the log a replay has written whole: as long as a table has as many rows of a block as it had then, a
-- replay of it has nothing to do.

CREATE TABLE replayed_blocks (
    topic text NOT NULL,
    topic_id text NOT NULL,
    source_partition integer NOT NULL,
    block bigint NOT NULL,
    rows bigint NOT NULL,
    PRIMARY KEY (topic, topic_id, source_partition, block)
);
COMMENT ON TABLE replayed_blocks IS
'Blocks of 8,192 offsets of a log that a replay has written whole, with the rows that came of each.';
COMMENT ON COLUMN replayed_blocks.topic_id IS 'Id of the topic: one that was made again has another.';
COMMENT ON COLUMN replayed_blocks.block IS 'Offset of its first record divided by 8,192.';

CREATE INDEX engagement_by_place ON engagement USING brin (source_offset);
CREATE INDEX posts_by_place ON posts USING brin (source_offset);
CREATE INDEX costs_by_place ON costs USING brin (source_offset);
CREATE INDEX revenue_by_place ON revenue USING brin (source_offset);
