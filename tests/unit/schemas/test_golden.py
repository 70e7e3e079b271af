"""One example record of every topic goes through the codecs and comes back the same."""

from __future__ import annotations

import json

import pytest

from schemas.catalogue import CATALOGUE, Topic
from schemas.codec.columns import ColumnCodec
from schemas.codec.rows import RowCodec
from schemas.records import Record
from schemas.registries.file_registry import FileRegistry
from streams.json_records import parse_record, render_record
from streams.validation import invalid_rows, validate
from tests.conftest import REPOSITORY

GOLDEN = REPOSITORY / "tests" / "golden"
ROWS = RowCodec(FileRegistry())
COLUMNS = ColumnCodec(FileRegistry())


def _golden(topic: Topic) -> Record:
    return parse_record(topic.record, (GOLDEN / f"{topic.name}.json").read_text(encoding="utf-8"))


def test_every_topic_has_an_example() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == {topic.name for topic in CATALOGUE}


@pytest.mark.parametrize("topic", CATALOGUE, ids=lambda topic: topic.name)
def test_an_example_comes_back_from_the_row_codec_and_keeps_the_rules(topic: Topic) -> None:
    record = _golden(topic)
    validate(record)
    assert ROWS.decode(topic, ROWS.encode(topic, record)) == record


@pytest.mark.parametrize("topic", CATALOGUE, ids=lambda topic: topic.name)
def test_an_example_is_shown_as_the_json_it_came_from(topic: Topic) -> None:
    text = (GOLDEN / f"{topic.name}.json").read_text(encoding="utf-8")
    assert render_record(_golden(topic)) == json.loads(text)


@pytest.mark.parametrize(
    "topic", [topic for topic in CATALOGUE if topic.layout == "columns"], ids=lambda topic: topic.name
)
def test_an_example_has_the_same_values_in_columns(topic: Topic) -> None:
    value = ROWS.encode(topic, _golden(topic))
    decoded = COLUMNS.decode(topic, [value, value])
    assert decoded.faults == []
    assert decoded.kept.tolist() == [0, 1]
    assert decoded.frame.to_dicts() == [ROWS.decode_plain(topic, value)] * 2
    assert invalid_rows(topic, decoded.frame) == []
