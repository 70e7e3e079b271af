"""What a consumer refused repeats nothing, though it can be read by the time the ids are learnt."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import polars as pl
import pytest
from aiokafka.structs import ConsumerRecord

from schemas.catalogue import topic_named
from schemas.codec.columns import ColumnCodec
from schemas.codec.rows import RowCodec
from schemas.records import EngagementEvent
from schemas.registries.file_registry import FileRegistry
from streams.engine.batch import ColumnBatch, FetchedRecord, TopicPartition
from streams.state.duplicates import DuplicateFilter
from tests.support.faults.poison import golden_record

TOPIC = topic_named("engagement.events")
SOURCE = TopicPartition(TOPIC.name, 0)
COLUMNS = ColumnCodec(FileRegistry())
TIME_MS = 1_795_338_000_000


def record(offset: int, event_id: str) -> FetchedRecord:
    made = golden_record(TOPIC)
    assert isinstance(made, EngagementEvent)
    value = RowCodec(FileRegistry()).encode(TOPIC, replace(made, event_id=event_id))
    made_up: FetchedRecord = ConsumerRecord(
        TOPIC.name, 0, offset, TIME_MS + offset, 0, None, value, None, 0, len(value), ()
    )
    return made_up


@pytest.mark.parametrize(
    ("refused", "counted"),
    [
        (set(), ["c"]),
        ({(1, TIME_MS + 1)}, ["b", "c"]),
        ({(1, TIME_MS)}, ["c"]),  # another record, of a log that was there before under this name
        ({(0, TIME_MS), (1, TIME_MS + 1)}, ["a", "b", "c"]),
    ],
)
async def test_an_event_sent_again_counts_where_the_first_was_refused(
    refused: set[tuple[int, int]], counted: list[str]
) -> None:
    async def read_log(source: TopicPartition, start: int, end: int) -> AsyncIterator[Sequence[FetchedRecord]]:
        assert (source, start, end) == (SOURCE, 0, 2)
        yield [record(0, "a"), record(1, "b")]

    async def refused_since(source: TopicPartition, since_ms: int) -> set[tuple[int, int]]:
        assert source == SOURCE
        assert since_ms < TIME_MS
        return refused

    filtering = DuplicateFilter(SOURCE, 1_000, COLUMNS, read_log, refused_since)
    await filtering.warm_up(2)
    again = [record(2, "a"), record(3, "b"), record(4, "c")]
    frame = COLUMNS.decode(TOPIC, [each.value for each in again]).frame
    batch = ColumnBatch(SOURCE, frame.with_columns(pl.Series("offset", [2, 3, 4], dtype=pl.Int64)))
    assert filtering.without_repetitions(batch).frame["event_id"].to_list() == counted
