"""The row codec: values of a topic to record objects and back, one at a time (fastavro)."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import fastavro

from schemas.catalogue import Topic
from schemas.definitions import AvroSchema, definition
from schemas.errors import DecodeFault, EncodeFault
from schemas.known_writers import KnownWriters
from schemas.record_dicts import from_dict, to_dict
from schemas.records import Record
from schemas.registry import SchemaRegistry
from schemas.wire_format import HEADER_BYTES, described, header, schema_id_of

# What fastavro raises for a body that is no record of the schema, or a dict that does not fit it.
BODY_ERRORS: tuple[type[Exception], ...] = (
    ValueError,
    TypeError,
    EOFError,
    LookupError,
    OverflowError,
    AttributeError,
    AssertionError,
    MemoryError,
    fastavro.schema.SchemaParseException,
    fastavro.read.SchemaResolutionError,
)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A writer schema ready to decode; `reader` is None where writer and reader are the same."""

    writer: Any
    reader: Any


class RowCodec:
    """Encode and decode records of the catalogue in the Confluent wire format."""

    def __init__(self, registry: SchemaRegistry) -> None:
        self._writers = KnownWriters(registry)
        self._parsed: dict[tuple[str, int], _Parsed] = {}
        self._readers: dict[str, Any] = {}

    def encode(self, topic: Topic, record: Record) -> bytes:
        """Return the record as a value of the topic, written with the working schema.

        Raises:
            EncodeFault: the record is of another class, or a field does not fit its type.
            UnknownSchema: the registry lacks the working schema.
            RegistryUnavailable: the registry does not answer.
        """
        if not isinstance(record, topic.record):
            raise EncodeFault(f"topic {topic.name} takes {topic.record.__name__}, got {type(record).__name__}")
        out = io.BytesIO(header(self._writers.written_id(topic)))
        out.seek(HEADER_BYTES)
        try:
            fastavro.schemaless_writer(out, self._reader(topic), to_dict(record), strict=True)
        except BODY_ERRORS as error:
            raise EncodeFault(
                f"{type(record).__name__} does not fit its schema: {error or type(error).__name__}; "
                f"see schemas/avro for the fields of topic {topic.name}"
            ) from error
        return out.getvalue()

    def decode(self, topic: Topic, value: bytes | None) -> Record:
        """Return the record of a value, resolved from the schema it was written with to the working one.

        Raises:
            DecodeFault: it is no record of this topic; says what was expected and what came.
            RegistryUnavailable: its schema id is not known here and the registry does not answer.
        """
        return from_dict(topic.record, self.decode_dict(topic, value))

    def decode_dict(self, topic: Topic, value: bytes | None) -> dict[str, Any]:
        """Return the fields of a value as fastavro reads them; raises as `decode` does."""
        schema_id = schema_id_of(value)
        assert value is not None
        parsed = self._parsed.get((topic.name, schema_id)) or self._parse(topic, schema_id)
        body = io.BytesIO(value)
        body.seek(HEADER_BYTES)
        try:
            values = fastavro.schemaless_reader(body, parsed.writer, parsed.reader)
        except BODY_ERRORS as error:
            raise DecodeFault(
                f"expected a body of {topic.record.schema_name} (schema id {schema_id}), got {described(value)}: "
                f"{error or type(error).__name__}; check that the producer writes with the schema of this id"
            ) from error
        if body.tell() != len(value):
            raise DecodeFault(
                f"expected {topic.record.schema_name} (schema id {schema_id}) of {body.tell()} bytes, "
                f"got {described(value)}: {len(value) - body.tell()} bytes are left over"
            )
        assert isinstance(values, dict)
        return values

    def decode_plain(self, topic: Topic, value: bytes | None) -> dict[str, Any]:
        """Return the fields of a value as column values, timestamps as milliseconds; raises as `decode` does."""
        values = self.decode_dict(topic, value)
        return {name: _milliseconds(each) if isinstance(each, datetime) else each for name, each in values.items()}

    def _reader(self, topic: Topic) -> Any:  # noqa: ANN401 - fastavro's parsed schemas are untyped
        name = topic.record.schema_name
        if name not in self._readers:
            self._readers[name] = fastavro.parse_schema(definition(name))
        return self._readers[name]

    def _parse(self, topic: Topic, schema_id: int) -> _Parsed:
        written: AvroSchema = self._writers.writer(topic, schema_id).schema
        same = written == definition(topic.record.schema_name)
        try:
            writer = self._reader(topic) if same else fastavro.parse_schema(written)
        except BODY_ERRORS as error:
            raise DecodeFault(
                f"schema id {schema_id} of topic {topic.name} is no usable Avro schema: {error}"
            ) from error
        parsed = _Parsed(writer, None if same else self._reader(topic))
        self._parsed[topic.name, schema_id] = parsed
        return parsed


def _milliseconds(moment: datetime) -> int:
    return (moment - EPOCH) // MILLISECOND
