"""The first fields of a letter are read without the rest of it, in every version of its schema."""

from __future__ import annotations

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.records import DeadLetter
from schemas.registries.file_registry import FileRegistry
from streams.letters.refused import FIRST_FIELDS, beginning_of
from tests.support.faults.poison import golden_record

TOPIC = topic_named("dead.letters")


def test_every_version_of_a_letter_begins_with_the_same_fields() -> None:
    registry = FileRegistry()
    versions = [registry.writer_schema(each).schema for each in registry.ids(TOPIC.subject)]
    assert versions
    for schema in versions:
        assert tuple(each["name"] for each in schema["fields"][: len(FIRST_FIELDS)]) == FIRST_FIELDS


def test_the_first_fields_are_those_of_the_letter() -> None:
    letter = golden_record(TOPIC)
    assert isinstance(letter, DeadLetter)
    found = beginning_of(RowCodec(FileRegistry()).encode(TOPIC, letter))
    assert found is not None
    assert (found["consumer"], found["source_topic"]) == (letter.consumer, letter.source_topic)
    assert (found["source_partition"], found["source_offset"]) == (letter.source_partition, letter.source_offset)
    assert found["source_timestamp"] == round(letter.source_timestamp.timestamp() * 1000)


def test_what_is_no_letter_says_so() -> None:
    assert beginning_of(b"\x00\x00\x00\x00\x01\xff\xff") is None
