"""Records of topics that only this platform writes: read by the committed schemas where the registry is no help.

The registry that knows their schema may be away or have forgotten it. Ids differ between registries, so the id of a
record says nothing of which version wrote it; its bytes do: a version fits when it reads every byte of the body, to the
last one.
"""

from __future__ import annotations

import logging
from typing import Generic, TypeVar

from schemas.catalogue import Topic
from schemas.codec.rows import RowCodec
from schemas.codec.wire_format import HEADER_BYTES, header, schema_id_of
from schemas.errors import DecodeFault, RegistryUnavailable
from schemas.records import Record
from schemas.registries.file_registry import FileRegistry
from schemas.registries.registry import SchemaRegistry

logger = logging.getLogger(__name__)
RecordType = TypeVar("RecordType", bound=Record)


class OwnReader(Generic[RecordType]):
    """Decode values of a topic that only this platform writes: by their schema id, else by the committed versions."""

    def __init__(self, registry: SchemaRegistry, topic: Topic, kind: type[RecordType]) -> None:
        committed = FileRegistry()
        self._topic = topic
        self._kind = kind
        self._by_id = RowCodec(registry)
        self._committed = RowCodec(committed)
        self._newest_first = committed.ids(topic.subject)[::-1]
        self._registry_is_away = False

    def decode(self, value: bytes | None) -> RecordType:
        """Return the record of a value. A registry that does not answer is asked once.

        Raises:
            DecodeFault: it is no such record of any version; says what the registry's schema made of it.
        """
        if self._registry_is_away:
            return self._by_committed(value, None)
        try:
            return self._checked(self._by_id.decode(self._topic, value))
        except RegistryUnavailable as error:
            logger.warning("Reading %s by the committed schemas: %s", self._topic.name, error)
            self._registry_is_away = True
            return self._by_committed(value, None)
        except DecodeFault as fault:
            return self._by_committed(value, fault)

    def _by_committed(self, value: bytes | None, fault: DecodeFault | None) -> RecordType:
        named = schema_id_of(value)
        assert value is not None
        for schema_id in sorted(self._newest_first, key=lambda each: each != named):
            try:
                return self._checked(self._committed.decode(self._topic, header(schema_id) + value[HEADER_BYTES:]))
            except DecodeFault as refused:
                fault = fault or refused
        assert fault is not None
        raise fault

    def _checked(self, record: Record) -> RecordType:
        assert isinstance(record, self._kind)
        return record
