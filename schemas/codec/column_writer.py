"""The column writer: columns of one topic to framed values, many records at once."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.catalogue import Topic
from schemas.codec.column_encoder import Column, ColumnEncoder
from schemas.codec.wire_format import header
from schemas.definitions import definition
from schemas.registries.known_writers import KnownWriters
from schemas.registries.registry import SchemaRegistry


class ColumnWriter:
    """Encode columns as the values of their topic, with the frame that names the working schema."""

    def __init__(self, registry: SchemaRegistry) -> None:
        self._writers = KnownWriters(registry)
        self._encoders: dict[str, ColumnEncoder] = {}

    def encode(self, topic: Topic, columns: Mapping[str, Column]) -> list[bytes]:
        """Return the value of each record; fields without a column have their default. Timestamps are epoch ms.

        Raises:
            EncodeFault: a column is unknown, missing, of another length, or holds a value that does not fit its type.
            UnsupportedLayout: the topic's schema has a nested field.
            UnknownSchema: the registry lacks the working schema; `threads-agent schemas register` adds it.
            RegistryUnavailable: the registry does not answer.
        """
        if topic.name not in self._encoders:
            self._encoders[topic.name] = ColumnEncoder(definition(topic.record.schema_name))
        return self._encoders[topic.name].encode(columns, header(self._writers.written_id(topic)))
