"""The record of a dead letter, decoded as far as it goes today: what was refused then may be readable now."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import fastavro

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.codec.wire_format import HEADER_BYTES, MAGIC
from schemas.errors import SchemaError
from schemas.records import DeadLetter
from schemas.registries.registry import SchemaRegistry
from streams.errors import ThreadsError
from streams.json_records import render_record
from streams.validation import schema_faults, validate

HEX_LINE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Content:
    """A value in the best form it has: `form` names it, `shown` is a JSON value, `problem` says what is wrong still.

    Forms: record (as its topic wants it), avro (by the schema it was written with), json, text, bytes, none.
    """

    form: str
    shown: Any
    problem: str | None = None

    @property
    def is_readable(self) -> bool:
        """Tell whether the record would be decoded and keep the rules today."""
        return self.form == "record" and self.problem is None


def content_of(letter: DeadLetter, registry: SchemaRegistry) -> Content:
    """Return what the value of a letter says, by the registry as it is now."""
    if letter.value is None:
        return Content("none", None, "the record has no value (a tombstone)")
    as_record = _as_record(letter.source_topic, letter.value, registry)
    if as_record.form == "record":
        return as_record
    problem = as_record.problem
    ways: list[tuple[str, Callable[[bytes], Any]]] = [
        ("avro", lambda value: _by_its_schema(value, registry)),
        ("json", json.loads),
        ("text", _printable),
    ]
    for form, read in ways:
        try:
            return Content(form, read(letter.value), problem)
        except Exception:  # noqa: BLE001, S112 - the bytes are anything, and may fail in any way; the next form is tried
            continue
    return Content("bytes", None, problem)


def _as_record(topic: str, value: bytes, registry: SchemaRegistry) -> Content:
    try:
        with schema_faults():
            record = RowCodec(registry).decode(topic_named(topic), value)
    except KeyError:
        return Content("bytes", None, f"topic {topic} is not in the catalogue")
    except ThreadsError as error:
        return Content("bytes", None, str(error))
    try:
        validate(record)
    except ThreadsError as error:
        return Content("record", render_record(record), str(error))
    return Content("record", render_record(record))


def _by_its_schema(value: bytes, registry: SchemaRegistry) -> Any:  # noqa: ANN401 - Avro values are of any type
    if value[:1] != MAGIC or len(value) < HEADER_BYTES:
        raise SchemaError("no wire format")
    written = registry.writer_schema(int.from_bytes(value[1:HEADER_BYTES], "big"))
    named: dict[str, Any] = {}
    for schema in written.references:
        fastavro.parse_schema(schema, named_schemas=named)
    body = io.BytesIO(value[HEADER_BYTES:])
    found = fastavro.schemaless_reader(body, fastavro.parse_schema(written.schema, named_schemas=named), None)
    return json.loads(json.dumps(found, default=str))


def _printable(value: bytes) -> str:
    text = value.decode()
    if not text or not all(each.isprintable() or each in "\r\n\t" for each in text):
        raise ValueError("no text")
    return text


def hex_lines(value: bytes) -> list[str]:
    """Return bytes as lines of offset, hex, and the characters that can be printed."""
    lines = []
    for start in range(0, len(value), HEX_LINE_BYTES):
        part = value[start : start + HEX_LINE_BYTES]
        text = "".join(chr(each) if 0x20 <= each < 0x7F else "." for each in part)  # noqa: PLR2004 - ASCII
        lines.append(f"{start:08x}  {part.hex(' '):<{3 * HEX_LINE_BYTES - 1}}  {text}")
    return lines


def text_or_hex(value: bytes | None) -> str:
    """Return a key or a header as text where it is some, else as hex; none where there is none."""
    if value is None:
        return "none"
    try:
        return json.dumps(_printable(value), ensure_ascii=False)
    except ValueError:
        return f"0x{value.hex()}" if value else '""'
