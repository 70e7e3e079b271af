"""Decoding of a slice: errors that nobody thought of are those of records, where others of the topic can be decoded."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.codec.wire_format import header
from schemas.records import PersonaRequest, Record
from schemas.registries.registry import RegisteredSchema, SchemaRegistry, open_registry
from streams.engine.batch import ColumnBatch, Slice, TopicPartition, weigh
from streams.engine.decoding import Decoded, Decoder
from streams.kafka.hidden import Hidden
from streams.settings import Settings
from tests.support.loop_in_memory import AT, Fetched, event

COMMITTED = open_registry(None)
BROKEN_ID = 4_242
AT_MS = 1_772_323_200_000


class BrokenRegistry:
    """A registry whose client fails at one id in a way that nobody thought of."""

    def writer_schema(self, schema_id: int) -> RegisteredSchema:
        if schema_id == BROKEN_ID:
            raise ZeroDivisionError("no such thing")
        return COMMITTED.writer_schema(schema_id)

    def schema_id(self, subject: str, schema: dict[str, object]) -> int:
        return COMMITTED.schema_id(subject, schema)


def good(topic: str, number: int) -> bytes:
    if topic == "engagement.events":
        return event("ada", 1, f"e{number}")
    record: Record = PersonaRequest(event_id=f"e{number}", occurred_at=AT, persona_id="ada", brief="a brief")
    return RowCodec(COMMITTED).encode(topic_named(topic), record)


def part_of(topic: str, are_good: list[bool]) -> Slice:
    bad = header(BROKEN_ID) + b"\x00"
    records = [Fetched(5 + 2 * n, good(topic, n) if is_good else bad) for n, is_good in enumerate(are_good)]
    return Slice(TopicPartition(topic, 0), records, None, weigh(records))


def offsets(decoded: Decoded) -> list[int]:
    batch = decoded.batch
    if batch is None:
        return []
    return batch.frame["offset"].to_list() if isinstance(batch, ColumnBatch) else [row.offset for row in batch.rows]


def decoder() -> Decoder:
    registry: SchemaRegistry = BrokenRegistry()
    return Decoder(registry, Settings())


@pytest.mark.parametrize("topic", ["engagement.events", "persona.requests"])
@settings(deadline=None)
@given(are_good=st.lists(st.booleans(), min_size=1, max_size=40).filter(any))
def test_records_that_end_decoding_are_refused_with_the_error_and_the_others_are_decoded(
    topic: str, are_good: list[bool]
) -> None:
    decoded = decoder().decode(part_of(topic, are_good))
    assert offsets(decoded) == [5 + 2 * n for n, is_good in enumerate(are_good) if is_good]
    assert [each.offset for each in decoded.rejections] == [
        5 + 2 * n for n, is_good in enumerate(are_good) if not is_good
    ]
    assert {each.fault.error_class for each in decoded.rejections} <= {"ZeroDivisionError"}


def test_where_no_record_was_ever_decoded_the_error_is_not_blamed_on_records() -> None:
    with pytest.raises(ZeroDivisionError):
        decoder().decode(part_of("engagement.events", [False, False]))


def test_a_record_alone_is_blamed_once_others_of_its_topic_were_decoded() -> None:
    made = decoder()
    made.decode(part_of("engagement.events", [True]))
    [refused] = made.decode(part_of("engagement.events", [False])).rejections
    assert "ZeroDivisionError: no such thing; others can be decoded" in str(refused.fault)


@pytest.mark.parametrize("topic", ["engagement.events", "persona.requests"])
def test_hidden_records_are_left_out_garbage_too(topic: str) -> None:
    early, late = AT_MS - 1, AT_MS
    records = [
        Fetched(0, good(topic, 0), timestamp=early, key=b"ada"),
        Fetched(1, good(topic, 1), timestamp=late, key=b"ada"),
        Fetched(2, b"garbage", timestamp=early, key=b"ada"),
        Fetched(3, b"garbage", timestamp=early, key=b"bob"),
    ]
    part = Slice(TopicPartition(topic, 0), records, None, weigh(records))
    decoded = Decoder(COMMITTED, Settings(), lambda: Hidden({b"ada": AT_MS})).decode(part)
    assert (offsets(decoded), [each.offset for each in decoded.rejections]) == ([1], [3])


def test_a_hidden_record_under_another_key_is_found_by_its_field() -> None:
    records = [Fetched(n, event("ada", 1, f"e{n}"), timestamp=AT_MS - 1 + n, key=b"foreign") for n in range(3)]
    part = Slice(TopicPartition("engagement.events", 0), records, None, weigh(records))
    assert offsets(Decoder(COMMITTED, Settings(), lambda: Hidden({b"ada": AT_MS})).decode(part)) == [1, 2]


def test_tombstones_of_a_compacted_topic_are_no_faults() -> None:
    records = [Fetched(0, None, key=b"ada")]
    decoded = decoder().decode(Slice(TopicPartition("personas", 0), records, None, weigh(records)))
    assert (decoded.batch, decoded.rejections) == (None, [])
