"""Records of every version of our schemas, and of others, are read by today's reader as they were meant.

The bytes were written by the Avro libraries of Java and Go, and are never made anew.
"""

from __future__ import annotations

import hashlib

import pytest

from schemas.catalogue import CATALOGUE, topic_named
from schemas.codec.columns import ColumnCodec
from schemas.codec.rows import RowCodec
from schemas.codec.wire_format import schema_id_of
from schemas.errors import DecodeFault
from schemas.registries.file_registry import FileRegistry
from tests.support.evolution import (
    GOLDEN,
    LANGUAGES,
    LEARNING,
    OTHERS,
    OURS,
    Case,
    Registry,
    cases,
    part,
    shown,
    written,
)

REGISTRY = Registry()
ROWS, COLUMNS = RowCodec(REGISTRY), ColumnCodec(REGISTRY)
ALL = [
    (language, each)
    for language in LANGUAGES
    for kind in (OURS, OTHERS, LEARNING)
    for each in cases(kind, written(kind, language))
]
IN_COLUMNS = sorted({each.topic.name for _, each in ALL if each.topic.layout == "columns"})
NEWEST_WHEN_WRITTEN = 52


def named(case: tuple[str, Case]) -> str:
    return f"{case[0]}: {case[1].name}"


def test_nobody_changed_what_was_written_once() -> None:
    """A case more goes into files of its own, with their digests behind these."""
    listed = dict(line.split("  ")[::-1] for line in (GOLDEN / "checksums.sha256").read_text().splitlines())
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in GOLDEN.glob("*.jsonl")}
    found |= {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in GOLDEN.glob("*.hex")}
    assert found == listed


def test_there_is_a_record_of_every_version_of_every_subject_up_to_then() -> None:
    registry = FileRegistry()
    versions = {(topic.name, each) for topic in CATALOGUE for each in registry.ids(topic.subject)}
    there = {(each.topic.name, each.schema_id) for _, each in ALL if each.schema_id <= NEWEST_WHEN_WRITTEN}
    assert there == {each for each in versions if each[1] <= NEWEST_WHEN_WRITTEN}
    for _, each in ALL:
        if each.schema_id <= NEWEST_WHEN_WRITTEN:
            assert registry.writer_schema(each.schema_id).schema == each.schema, "ids are for ever"


@pytest.mark.parametrize("case", ALL, ids=named)
def test_a_record_is_read_by_the_row_path(case: tuple[str, Case]) -> None:
    each = case[1]
    assert schema_id_of(each.value) == each.schema_id
    if each.expected is None:
        with pytest.raises(DecodeFault, match=each.refused):
            ROWS.decode(each.topic, each.value)
        return
    found = shown(ROWS.decode_plain(each.topic, each.value))
    assert part(found, each.expected) == each.expected
    assert isinstance(ROWS.decode(each.topic, each.value), each.topic.record)


@pytest.mark.parametrize("name", IN_COLUMNS)
def test_records_of_all_versions_in_one_slice_are_read_by_the_columnar_path(name: str) -> None:
    of_topic = [each for _, each in ALL if each.topic.name == name]
    decoded = COLUMNS.decode(topic_named(name), [each.value for each in of_topic])
    refused = {place: str(fault) for place, fault in decoded.faults}
    rows = dict(zip(decoded.kept.tolist(), decoded.frame.to_dicts(), strict=True))
    assert len({each.schema_id for each in of_topic}) > 1
    for place, each in enumerate(of_topic):
        if each.expected is None:
            assert each.refused is not None
            assert each.refused in refused[place], each.name
        else:
            found = shown(rows[place])
            assert part(found, each.expected) == each.expected, each.name
