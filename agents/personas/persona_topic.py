"""The personas in force on the topic: list them, apply those whose version is not in force, remove some."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from agents.personas.directory import PersonaDirectory
from agents.personas.persona import Persona
from agents.personas.persona_log import SOURCE, KafkaPersonaLog
from schemas.records import PersonaApplied
from schemas.registries.registry import open_registry
from streams.endpoints import require_kafka, resolve
from streams.engine.stage import Output
from streams.errors import ThreadsError
from streams.identity import derived_id
from streams.kafka.producer import EventProducer
from streams.settings import Settings


class UnknownPersonaError(ThreadsError):
    """A persona to remove is not in force; nothing was removed."""


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
            await producer.append_all([Output(SOURCE.topic, persona_applied(each, occurred_at)) for each in changed])
        finally:
            await producer.stop()
    return changed


async def remove_personas(settings: Settings, persona_ids: Sequence[str]) -> None:
    """Append a tombstone for each id, and wait for the acknowledgements; requests for them are dead-lettered then.

    Raises:
        UnknownPersonaError: lists the ids that are not in force; nothing was removed.
        Unavailable: Kafka does not answer; remove them again.
        SettingsError: there is no Kafka.
    """
    directory = await read_directory(settings)
    unknown = sorted({each for each in persona_ids if directory.find(each) is None})
    if unknown:
        names = ", ".join(map(repr, unknown))
        raise UnknownPersonaError(f"No persona was removed: {names} not in force; see `threads-agent personas list`")
    producer = EventProducer(require_kafka(settings), open_registry(resolve(settings).schemas), settings)
    try:
        await producer.append_raw(SOURCE.topic, SOURCE.partition, [(each.encode(), None) for each in persona_ids])
    finally:
        await producer.stop()
