"""The row codec: values of a topic to record objects and back, one at a time.

What was written with our own schema is read by fastavro. What was not, and what the column codec hands over, is read by
resolution.py, which takes and refuses the same bodies as the column codec does.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import fastavro

from schemas.catalogue import Topic
from schemas.codec.avro_types import parse_type
from schemas.codec.body import Body
from schemas.codec.record_dicts import from_dict, to_dict
from schemas.codec.resolution import Moment, reading
from schemas.codec.wire_format import HEADER_BYTES, described, header, schema_id_of
from schemas.definitions import definition, working_record
from schemas.errors import DecodeFault, EncodeFault, Unresolvable, UnusableSchema
from schemas.records import Record
from schemas.registries.known_writers import KnownWriters
from schemas.registries.registry import RegisteredSchema, SchemaRegistry

# What reading raises for a body that is no record of the schema, and writing for a dict that does not fit it.
BODY_ERRORS: tuple[type[Exception], ...] = (
    ValueError,
    TypeError,
    EOFError,
    LookupError,
    OverflowError,
    AttributeError,
    AssertionError,
    MemoryError,
    RecursionError,
    fastavro.schema.SchemaParseException,
    fastavro.read.SchemaResolutionError,
)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


BodyDecoder = Callable[[bytes], tuple[dict[str, Any], int]]
"""From a framed value to the fields of its body and the place behind them."""


class RowCodec:
    """Encode and decode records of the catalogue in the Confluent wire format."""

    def __init__(self, registry: SchemaRegistry) -> None:
        self._writers = KnownWriters(registry)
        self._decoders: dict[tuple[str, int, Moment], BodyDecoder] = {}
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
        """Return the fields of a value, moments as datetimes; raises as `decode` does."""
        return self._decode(topic, value, _moment)

    def decode_plain(self, topic: Topic, value: bytes | None) -> dict[str, Any]:
        """Return the fields of a value as column values, moments as milliseconds; raises as `decode` does."""
        return self._decode(topic, value, _milliseconds)

    def _decode(self, topic: Topic, value: bytes | None, moment: Moment) -> dict[str, Any]:
        schema_id = schema_id_of(value)
        assert value is not None
        decoder = self._decoders.get((topic.name, schema_id, moment)) or self._prepare(topic, schema_id, moment)
        try:
            values, end = decoder(value)
        except BODY_ERRORS as error:
            raise DecodeFault(
                f"expected a body of {topic.record.schema_name} (schema id {schema_id}), got {described(value)}: "
                f"{error or type(error).__name__}; check that the producer writes with the schema of this id"
            ) from error
        if end != len(value):
            raise DecodeFault(
                f"expected {topic.record.schema_name} (schema id {schema_id}) of {end} bytes, "
                f"got {described(value)}: {len(value) - end} bytes are left over"
            )
        return values

    def _reader(self, topic: Topic) -> Any:  # noqa: ANN401 - fastavro's parsed schemas are untyped
        name = topic.record.schema_name
        if name not in self._readers:
            self._readers[name] = fastavro.parse_schema(definition(name))
        return self._readers[name]

    def _prepare(self, topic: Topic, schema_id: int, moment: Moment) -> BodyDecoder:
        """Return what decodes values of a writer schema; one whose values are never ours refuses each of them."""
        registered = self._writers.writer(topic, schema_id)
        if topic.layout == "rows" and registered.schema == definition(topic.record.schema_name) and moment is _moment:
            decoder = self._own(topic)
        else:
            decoder = _foreign(topic, registered, moment)
        self._decoders[topic.name, schema_id, moment] = decoder
        return decoder

    def _own(self, topic: Topic) -> BodyDecoder:
        schema = self._reader(topic)

        def decode(value: bytes) -> tuple[dict[str, Any], int]:
            body = io.BytesIO(value)
            body.seek(HEADER_BYTES)
            return fastavro.schemaless_reader(body, schema, None), body.tell()

        return decode


def _foreign(topic: Topic, registered: RegisteredSchema, moment: Moment) -> BodyDecoder:
    try:
        read = reading(
            parse_type(registered.schema, registered.references), working_record(topic.record.schema_name), moment
        )
    except (UnusableSchema, Unresolvable) as error:
        return _refusing(
            f"schema id {registered.id} of topic {topic.name} can't be read as {topic.record.schema_name}: {error}; "
            "write with a schema that ours can read"
        )

    def decode(value: bytes) -> tuple[dict[str, Any], int]:
        body = Body(value, HEADER_BYTES)
        return read(body), body.at

    return decode


def _refusing(reason: str) -> BodyDecoder:
    def decode(_value: bytes) -> tuple[dict[str, Any], int]:
        raise DecodeFault(reason)

    return decode


def _moment(milliseconds: int) -> datetime:
    return EPOCH + milliseconds * MILLISECOND


def _milliseconds(milliseconds: int) -> int:
    return milliseconds
