"""Records with header names of any bytes: each is read as it was written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition as KafkaPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.records import DeadLetter
from schemas.registries.registry import open_registry
from streams.engine.batch import TopicPartition
from streams.engine.dead_letters import dead_letter
from streams.errors import RecordFault
from streams.kafka.record_bytes import ByteRecords, name_bytes, name_text
from tests.support.record_batches import Given, encoded

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
SPIKED = st.sampled_from(
    [b"n\xe4me", b"\xff", b"\xed\xa0\x80", b"\xc3", b"\\", b"\\xe4", b"\\\\", b"", b"\x00", b"trace", "grüß".encode()]
)
NAMES = st.one_of(SPIKED, st.binary(max_size=12), st.text(max_size=8).map(lambda text: text.encode()))
CONTENT = st.none() | st.binary(max_size=20)
RECORDS = st.lists(
    st.builds(Given, CONTENT, CONTENT, st.lists(st.tuples(NAMES, CONTENT), max_size=4)), min_size=1, max_size=8
)


def read(fetched: bytes, *, start: int = 0) -> list[Any]:
    """Read batches as the fetcher does, from an offset on."""
    source = KafkaPartition("topic", 0)
    return list(PartitionRecords(source, ByteRecords(fetched), [], start, None, None, True, READ_COMMITTED))


def as_given(records: Sequence[Any]) -> list[Given]:
    return [Given(each.key, each.value, [(_bytes(name), value) for name, value in each.headers]) for each in records]


def _bytes(name: str | bytes) -> bytes:
    return name if isinstance(name, bytes) else name.encode()


@settings(deadline=None)
@given(RECORDS, st.sampled_from([NONE, GZIP, SNAPPY, LZ4, ZSTD]))
def test_a_record_is_read_as_it_was_written_whatever_bytes_its_headers_are_named_by(
    records: list[Given], codec: int
) -> None:
    found = read(encoded(records, codec=codec))
    assert as_given(found) == [record._replace(headers=list(record.headers)) for record in records]
    assert [each.offset for each in found] == list(range(len(records)))
    assert [each.timestamp for each in found] == [1_700_000_000_000 + offset for offset in range(len(records))]


@settings(deadline=None)
@given(st.lists(RECORDS, min_size=2, max_size=3), st.data())
def test_reading_from_the_middle_of_a_batch_skips_what_lies_before(
    batches: list[list[Given]], data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(batches[0]) - 1))
    found = read(
        b"".join(_at(_first_offset(batches, number), batch) for number, batch in enumerate(batches)), start=start
    )
    every = [record for batch in batches for record in batch]
    assert [each.offset for each in found] == list(range(start, len(every)))
    assert [each.value for each in found] == [record.value for record in every[start:]]


def _first_offset(batches: list[list[Given]], number: int) -> int:
    return sum(map(len, batches[:number]))


def _at(first_offset: int, records: list[Given]) -> bytes:
    return first_offset.to_bytes(8, "big") + encoded(records)[8:]


def test_batches_of_text_names_are_left_to_the_fast_parser() -> None:
    fetched = encoded([Given(b"key", b"value", [("größe".encode(), b"1"), (b"none", None)])] * 3)
    ours, theirs = list(ByteRecords(fetched).next_batch()), list(MemoryRecords(fetched).next_batch())
    assert [type(each) for each in ours] == [type(each) for each in theirs]
    assert list(map(repr, ours)) == list(map(repr, theirs))


def test_a_record_with_thousands_of_headers_is_read() -> None:
    headers = [(b"\xff%d" % number, None if number % 2 else b"") for number in range(20_000)]
    (found,) = as_given(read(encoded([Given(None, b"", headers)], codec=ZSTD)))
    assert found.headers == headers


def test_a_batch_that_was_cut_off_is_left_for_the_next_fetch() -> None:
    whole = encoded([Given(None, b"value", [(b"\xff", b"")])])
    assert len(read(whole + whole[: len(whole) // 2])) == 1


@settings(deadline=None)
@given(NAMES)
def test_a_name_as_text_gives_its_bytes_back_and_fits_any_string_field(name: bytes) -> None:
    text = name_text(name)
    assert name_bytes(text) == name
    assert text.encode().decode() == text


@settings(deadline=None)
@given(st.text().filter(lambda text: "\\" not in text))
def test_a_name_that_is_text_without_a_backslash_stands_as_it_is(name: str) -> None:
    try:
        as_bytes = name.encode()
    except UnicodeEncodeError:  # a lone surrogate is no name that a parser gives
        return
    assert name_text(name) == name_text(as_bytes) == name


@settings(deadline=None)
@given(RECORDS)
def test_a_dead_letter_holds_the_original_headers_and_can_always_be_written(records: list[Given]) -> None:
    codec, topic = RowCodec(open_registry(None)), topic_named("dead.letters")
    source, fault, now = TopicPartition("engagement.events", 0), RecordFault("expected better"), datetime.now(UTC)
    for given_, record in zip(records, read(encoded(records)), strict=True):
        output = dead_letter("kpis", source, record, fault, now=now, max_bytes=10_000)
        letter = codec.decode(topic, codec.encode(topic, output.record))
        assert isinstance(letter, DeadLetter)
        assert (letter.key, letter.value) == (given_.key, given_.value)
        assert [(name_bytes(each.name), each.value) for each in letter.headers] == list(given_.headers)


@pytest.mark.parametrize("name", [b"n\xe4me", b"\\xe4", b"plain"])
def test_the_documented_text_of_a_name(name: bytes) -> None:
    assert name_text(name) == {b"n\xe4me": "n\\xe4me", b"\\xe4": "\\\\xe4", b"plain": "plain"}[name]
