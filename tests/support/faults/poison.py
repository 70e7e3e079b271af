"""Poison: bytes that are no record of a topic, each wrong in a way of its own, made from a good record of the topic."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import fastavro

from schemas.catalogue import Topic, topic_named
from schemas.codec.record_dicts import to_dict
from schemas.codec.rows import RowCodec
from schemas.codec.wire_format import HEADER_BYTES, header
from schemas.definitions import definition
from schemas.records import KpiPartial, Record
from schemas.registries.registry import open_registry
from streams.json_records import parse_record
from streams.kafka.record_size import DEAD_LETTERS, record_limit
from streams.settings import Settings
from tests.conftest import REPOSITORY

GOLDEN = REPOSITORY / "tests" / "golden"
UNKNOWN_SCHEMA_ID = 2**31 - 1
CODEC = RowCodec(open_registry(None))


def golden_record(topic: Topic) -> Record:
    """Return the example record of a topic; a partial without rows, because the bytes of its example are made up."""
    record = parse_record(topic.record, (GOLDEN / f"{topic.name}.json").read_text(encoding="utf-8"))
    return replace(record, panes=b"") if isinstance(record, KpiPartial) else record


def golden_value(topic: Topic) -> bytes:
    """Return the example record of a topic as it stands in the log."""
    return CODEC.encode(topic, golden_record(topic))


def poison(topic: Topic, settings: Settings) -> dict[str, bytes | None]:
    """Return values by what is wrong with them."""
    good = golden_value(topic)
    other = topic_named("persona.requests" if topic.name != "persona.requests" else "engagement.events")
    wrong: dict[str, bytes | None] = {
        "garbage": b"\xff\xfe not Avro at all",
        "empty": b"",
        "header alone": good[:HEADER_BYTES],
        "unknown schema id": header(UNKNOWN_SCHEMA_ID) + good[HEADER_BYTES:],
        "schema id of another subject": golden_value(other)[:HEADER_BYTES] + good[HEADER_BYTES:],
        "truncated by a byte": good[:-1],
        "truncated by half": good[: len(good) // 2],
        "shifted by a byte": good[:HEADER_BYTES] + b"\x01" + good[HEADER_BYTES:],
        "shifted back by a byte": good[:HEADER_BYTES] + good[HEADER_BYTES + 1 :],
        "left over bytes": good + b"\x00",
        "tombstone": None,
    }
    if topic.name != DEAD_LETTERS:
        wrong["oversized"] = good + bytes(record_limit(topic.name, settings) - len(good) + 1)
    for number, value in enumerate(_with_unknown_symbols(topic)):
        wrong[f"unknown enum symbol {number}"] = value
    return wrong


def _with_unknown_symbols(topic: Topic) -> Iterator[bytes]:
    """Write the record once for each of its enums, with a symbol that its schema lacks."""
    schema = definition(topic.record.schema_name)
    for place, field in enumerate(schema["fields"]):
        if isinstance(field["type"], dict) and field["type"].get("type") == "enum":
            wider: dict[str, Any] = copy.deepcopy(schema)
            wider["fields"][place]["type"]["symbols"].append("of_tomorrow")
            values = {**to_dict(golden_record(topic)), field["name"]: "of_tomorrow"}
            body = io.BytesIO()
            fastavro.schemaless_writer(body, fastavro.parse_schema(wider), values)
            yield golden_value(topic)[:HEADER_BYTES] + body.getvalue()
