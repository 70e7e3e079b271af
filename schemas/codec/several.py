"""Several records in one body: values in the Confluent wire format one behind the other, or a container file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from schemas.catalogue import Topic
from schemas.codec.avro_types import parse_type
from schemas.codec.body import Body
from schemas.codec.record_dicts import from_dict
from schemas.codec.resolution import reading
from schemas.codec.rows import BODY_ERRORS, EPOCH, MILLISECOND
from schemas.codec.wire_format import HEADER_BYTES, schema_id_of
from schemas.definitions import AvroSchema, working_record
from schemas.errors import DecodeFault, Unresolvable, UnusableSchema
from schemas.records import Record
from schemas.registries.known_writers import KnownWriters
from schemas.registries.registry import SchemaRegistry

CONTAINER_MAGIC = b"Obj\x01"
SYNC_BYTES = 16

_Read = Callable[[Body], Any]


class FrameReader:
    """Read frames that stand one behind the other, each with a schema id of its own; ids are looked up once."""

    def __init__(self, registry: SchemaRegistry) -> None:
        self._writers = KnownWriters(registry)
        self._reads: dict[tuple[str, int], _Read] = {}

    def read(self, topic: Topic, data: bytes) -> Iterator[Record]:
        """Yield the records; may wait for the registry.

        Raises:
            DecodeFault: there is something else; says at which byte.
            RegistryUnavailable: an id is not known here, and the registry does not answer.
        """
        body = Body(data)
        while body.at < len(data):
            read = self._of(topic, schema_id_of(data[body.at : body.at + HEADER_BYTES]))
            body.at += HEADER_BYTES
            yield _record(topic, read, body)

    def _of(self, topic: Topic, schema_id: int) -> _Read:
        read = self._reads.get((topic.name, schema_id))
        if read is None:
            written = self._writers.writer(topic, schema_id)
            read = self._reads[topic.name, schema_id] = _reading(topic, written.schema, written.references)
        return read


def read_container(topic: Topic, data: bytes) -> Iterator[Record]:
    """Yield the records of an Avro object container file of the codec null, whatever schema of the record wrote it.

    A compressed one is refused: a body of a few kilobytes would be gigabytes.

    Raises:
        DecodeFault: it is none, is compressed or ends early, or its schema can't be read as the topic's record.
    """
    body = Body(data)
    try:
        schema, sync = _head(body)
    except BODY_ERRORS as error:
        raise DecodeFault(f"expected the head of an Avro container file: {error or type(error).__name__}") from error
    read = _reading(topic, schema, ())
    while body.at < len(data):
        yield from _block(topic, read, body, sync)


def _head(body: Body) -> tuple[AvroSchema, bytes]:
    if body.take(len(CONTAINER_MAGIC)) != CONTAINER_MAGIC:
        raise ValueError("it does not begin with Obj and a byte 1")
    known: dict[str, bytes] = {}
    for count in body.blocks():
        body.check_items(count)
        for _ in range(count):
            name = body.read_text()
            known[name] = body.read_bytes()
    codec = known.get("avro.codec", b"null")
    if codec not in (b"null", b""):
        raise ValueError(f"its codec is {codec[:20]!r}; write it with the codec null")
    return json.loads(known["avro.schema"]), body.take(SYNC_BYTES)


def _block(topic: Topic, read: _Read, body: Body, sync: bytes) -> Iterator[Record]:
    try:
        count, size = body.read_long(), body.read_long()
        body.check_items(count)
        end = body.at + size
    except BODY_ERRORS as error:
        raise DecodeFault(f"expected a block of the container file at byte {body.at}: {error}") from error
    for _ in range(count):
        yield _record(topic, read, body)
    if count < 0 or body.at != end or body.data[end : end + SYNC_BYTES] != sync:
        raise DecodeFault(f"expected the end of a block of the container file at byte {body.at}, and its sync marker")
    body.at += SYNC_BYTES


def _reading(topic: Topic, schema: AvroSchema, references: tuple[object, ...]) -> _Read:
    name = topic.record.schema_name
    try:
        return reading(parse_type(schema, references), working_record(name), lambda ms: EPOCH + ms * MILLISECOND)
    except (UnusableSchema, Unresolvable) as error:
        raise DecodeFault(f"the schema of what was sent can't be read as {name}: {error}") from error


def _record(topic: Topic, read: _Read, body: Body) -> Record:
    start = body.at
    try:
        return from_dict(topic.record, read(body))
    except BODY_ERRORS as error:
        name = topic.record.schema_name
        raise DecodeFault(f"expected a {name} at byte {start}: {error or type(error).__name__}") from error
