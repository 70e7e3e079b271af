"""The personas topic: read it on and on, and append the personas whose version is not in force."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime

from aiokafka.structs import ConsumerRecord

from agents.personas.directory import PersonaDirectory
from agents.personas.persona import Persona
from schemas.catalogue import topic_named
from schemas.codec_rows import RowCodec
from schemas.errors import DecodeFault, RegistryUnavailable
from schemas.records import PersonaApplied
from schemas.registry import SchemaRegistry, open_registry
from streams.endpoints import require_kafka, resolve
from streams.engine.batch import TopicPartition
from streams.engine.stage import Output
from streams.errors import Unavailable
from streams.identity import derived_id
from streams.kafka.log_reader import LogReader
from streams.kafka.producer import EventProducer
from streams.settings import Settings

logger = logging.getLogger(__name__)

TOPIC = topic_named("personas")
SOURCE = TopicPartition(TOPIC.name, 0)


class KafkaPersonaLog:
    """The personas topic, read on from where the last reading ended, through one connection that is kept."""

    def __init__(self, settings: Settings, registry: SchemaRegistry) -> None:
        self._settings = settings
        self._codec = RowCodec(registry)
        self._reader: LogReader | None = None
        self._position = 0

    async def news(self) -> Sequence[PersonaApplied]:
        """Return what was appended since the last call, up to the end of now; `Unavailable` when it can't be read."""
        reader = await self._connected()
        try:
            first, end = (await reader.whole([SOURCE]))[SOURCE]
            records: list[PersonaApplied] = []
            async for _, block in reader.read({SOURCE: (max(self._position, first), end)}):
                records += self._decoded(block)
        except Unavailable:
            await self.close()
            raise
        self._position = end
        return records

    async def close(self) -> None:
        """Disconnect; the next call connects again."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.__aexit__(None, None, None)

    async def _connected(self) -> LogReader:
        if self._reader is None:
            self._reader = await LogReader(self._settings, require_kafka(self._settings)).__aenter__()
        return self._reader

    def _decoded(self, block: Sequence[ConsumerRecord]) -> Iterator[PersonaApplied]:
        for record in block:
            if record.value is None:
                continue  # a tombstone: compaction will take the persona, workers that know it keep it till then
            try:
                found = self._codec.decode(TOPIC, record.value)
            except DecodeFault as fault:
                logger.warning("Passed over offset %d of the personas topic: %s", record.offset, fault)
                continue
            except RegistryUnavailable as error:
                raise Unavailable(str(error)) from error
            assert isinstance(found, PersonaApplied)
            yield found


def persona_applied(persona: Persona, occurred_at: datetime) -> PersonaApplied:
    """Return the event that puts a persona in force; its id follows from persona and version."""
    version = persona.version()
    return PersonaApplied(
        event_id=derived_id(persona.persona_id, version),
        occurred_at=occurred_at,
        persona_id=persona.persona_id,
        version=version,
        definition=persona.definition(),
    )


async def read_directory(settings: Settings) -> PersonaDirectory:
    """Return the personas in force.

    Raises:
        Unavailable: Kafka does not answer.
        SettingsError: there is no Kafka.
    """
    directory = PersonaDirectory(KafkaPersonaLog(settings, open_registry(resolve(settings).schemas)))
    try:
        await directory.refresh()
    finally:
        await directory.close()
    return directory


async def apply_personas(settings: Settings, personas: Sequence[Persona], occurred_at: datetime) -> list[Persona]:
    """Append the personas whose version is not the one in force, and wait for the acknowledgement; return these.

    Raises:
        Unavailable: Kafka does not answer; apply them again.
        SettingsError: there is no Kafka.
    """
    in_force = {each.persona.persona_id: each.version for each in (await read_directory(settings)).known()}
    changed = [persona for persona in personas if in_force.get(persona.persona_id) != persona.version()]
    if changed:
        producer = EventProducer(require_kafka(settings), open_registry(resolve(settings).schemas), settings)
        try:
            await producer.append_all([Output(TOPIC.name, persona_applied(each, occurred_at)) for each in changed])
        finally:
            await producer.stop()
    return changed
