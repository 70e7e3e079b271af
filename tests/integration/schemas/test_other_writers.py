"""The Avro libraries of Java and Go, run now: they write today's schemas as we read them, and goldens as they are."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import pytest

from schemas.catalogue import CATALOGUE, Topic
from schemas.codec.record_dicts import to_dict
from schemas.codec.rows import RowCodec
from schemas.definitions import definition
from schemas.registries.file_registry import FileRegistry
from tests.support.avro_writers import NotToBeHad, go_writer, java_writer, written_by
from tests.support.evolution import LEARNING, OTHERS, OURS, lines, written
from tests.support.faults.poison import golden_record

REGISTRY = FileRegistry()
MAKERS = {"java": java_writer, "go": go_writer}


@pytest.fixture(scope="module", params=sorted(MAKERS))
def writer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[str]]:
    make: Callable[[Path], list[str]] = MAKERS[request.param]
    try:
        return request.param, make(tmp_path_factory.mktemp(request.param))
    except NotToBeHad as reason:
        pytest.skip(str(reason))


def line_of(topic: Topic) -> str:
    """Return the example record of a topic as a case of today's schema."""
    schema, text = definition(topic.record.schema_name), io.StringIO()
    fastavro.json_writer(text, schema, [to_dict(golden_record(topic))])
    schema_id = REGISTRY.schema_id(topic.subject, schema)
    case: dict[str, Any] = {"id": schema_id, "schema": schema, "value": json.loads(text.getvalue())}
    return json.dumps(case) + "\n"


def test_records_of_todays_schemas_are_read_as_they_were_meant(writer: tuple[str, list[str]]) -> None:
    rows = RowCodec(REGISTRY)
    made = written_by(writer[1], "".join(map(line_of, CATALOGUE)))
    for topic, each in zip(CATALOGUE, made.splitlines(), strict=True):
        assert rows.decode(topic, bytes.fromhex(each)) == golden_record(topic), topic.name


@pytest.mark.parametrize("kind", [OURS, OTHERS, LEARNING])
def test_the_writer_still_makes_the_bytes_that_are_kept(writer: tuple[str, list[str]], kind: str) -> None:
    language, command = writer
    assert written_by(command, lines(kind)) == written(kind, language)
