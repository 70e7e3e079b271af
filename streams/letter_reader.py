"""Reading dead letters, also where the registry that knows their schema is away or has forgotten it.

They are what somebody looks into when something is wrong, and only this platform writes them: by one of the committed
versions of its own schema. Ids differ between registries, so the id of a letter says nothing of which; its bytes do:
a version fits when it reads every byte of the body, to the last one.
"""

from __future__ import annotations

import logging

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.codec.wire_format import HEADER_BYTES, header, schema_id_of
from schemas.errors import DecodeFault, RegistryUnavailable
from schemas.records import DeadLetter, Record
from schemas.registries.file_registry import FileRegistry
from schemas.registries.registry import SchemaRegistry
from streams.kafka.record_size import DEAD_LETTERS

logger = logging.getLogger(__name__)

TOPIC = topic_named(DEAD_LETTERS)


class LetterReader:
    """Decode values of dead.letters: by their schema id, else by the committed versions."""

    def __init__(self, registry: SchemaRegistry) -> None:
        committed = FileRegistry()
        self._by_id = RowCodec(registry)
        self._committed = RowCodec(committed)
        self._newest_first = committed.ids(TOPIC.subject)[::-1]
        self._registry_is_away = False

    def decode(self, value: bytes | None) -> DeadLetter:
        """Return the letter of a value. A registry that does not answer is asked once.

        Raises:
            DecodeFault: it is no dead letter of any version; says what the registry's schema made of it.
        """
        if self._registry_is_away:
            return self._by_committed(value, None)
        try:
            return _letter(self._by_id.decode(TOPIC, value))
        except RegistryUnavailable as error:
            logger.warning("Reading dead letters by the committed schemas: %s", error)
            self._registry_is_away = True
            return self._by_committed(value, None)
        except DecodeFault as fault:
            return self._by_committed(value, fault)

    def _by_committed(self, value: bytes | None, fault: DecodeFault | None) -> DeadLetter:
        named = schema_id_of(value)
        assert value is not None
        for schema_id in sorted(self._newest_first, key=lambda each: each != named):
            try:
                return _letter(self._committed.decode(TOPIC, header(schema_id) + value[HEADER_BYTES:]))
            except DecodeFault as refused:
                fault = fault or refused
        assert fault is not None
        raise fault


def _letter(record: Record) -> DeadLetter:
    assert isinstance(record, DeadLetter)
    return record
