"""The personas in force on the topic: list them, apply those whose version is not in force, remove some."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

from agents.personas.directory import PersonaDirectory
from agents.personas.persona import Persona
from schemas.catalogue import topic_named
from schemas.records import PersonaApplied
from schemas.registries.registry import SchemaRegistry
from streams.engine.stage import Output
from streams.errors import ThreadsError
from streams.identity import derived_id
from streams.kafka.cluster import Cluster
from streams.kafka.producer import EventProducer
from streams.kafka.topic_tail import WHOLE, TopicTail
from streams.settings import Settings

TOPIC = topic_named("personas")
PARTITION = 0  # its only one


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


def persona_directory(
    cluster: Cluster, registry: SchemaRegistry, monotonic: Callable[[], float] = time.monotonic
) -> PersonaDirectory:
    """Return a directory of the real topic; nothing is connected yet."""
    return PersonaDirectory(TopicTail(cluster, registry, {TOPIC: WHOLE}, PersonaApplied), monotonic)


async def read_directory(settings: Settings) -> PersonaDirectory:
    """Return the personas in force.

    Raises:
        Unavailable: Kafka does not answer.
        SettingsError: there is no Kafka.
    """
    cluster = Cluster.of(settings)
    return await persona_directory(cluster, cluster.open_registry()).read_once()


async def apply_personas(settings: Settings, personas: Sequence[Persona], occurred_at: datetime) -> list[Persona]:
    """Append the personas whose version is not the one in force, and wait for the acknowledgement; return these.

    Raises:
        Unavailable: Kafka does not answer; apply them again.
        SettingsError: there is no Kafka.
    """
    in_force = {each.persona.persona_id: each.version for each in (await read_directory(settings)).known()}
    changed = [persona for persona in personas if in_force.get(persona.persona_id) != persona.version()]
    if changed:
        cluster = Cluster.of(settings)
        async with EventProducer(cluster, cluster.open_registry()) as producer:
            await producer.append_all([Output(TOPIC.name, persona_applied(each, occurred_at)) for each in changed])
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
    cluster = Cluster.of(settings)
    async with EventProducer(cluster, cluster.open_registry()) as producer:
        await producer.append_raw(TOPIC.name, PARTITION, [(each.encode(), None) for each in persona_ids])
