"""Poison on every input topic of every role: each ends in dead.letters as it came, and its neighbours are processed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from schemas.catalogue import topic_named
from schemas.records import DeadLetter
from schemas.registries.registry import open_registry
from streams.kafka.producer import EventProducer
from streams.kafka.record_size import letter_room
from streams.role import Role, load_role
from streams.settings import Settings
from tests.conftest import Stack
from tests.faults.conftest import WorkerProcess
from tests.support.faults.consumer_group import ConsumerGroup
from tests.support.faults.dead_letters import dead_letters
from tests.support.faults.own_broker import OwnBroker, own_broker
from tests.support.faults.poison import golden_value, poison

ROLES = ("generation", "kpis", "spend", "sink-postgres", "sink-qdrant", "sink-prometheus")
HEADERS = [("trace", b"4bf92f")]
KEY = b"key"

Place = tuple[str, int]
"""Topic and offset in partition 0."""


@dataclass
class Written:
    """Where good and poisonous records are."""

    good: set[Place] = field(default_factory=set)
    poison: dict[Place, tuple[str, bytes | None]] = field(default_factory=dict)


@pytest.fixture
def broker() -> Iterator[OwnBroker]:
    with own_broker() as made:
        yield made


@pytest.fixture
def database(stack: Stack) -> str:
    """A database of this test alone."""
    with psycopg.connect(stack.postgres_dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE poison")
    return make_conninfo(stack.postgres_dsn, dbname="poison")


@asynccontextmanager
async def producing(broker: OwnBroker) -> AsyncIterator[EventProducer]:
    producer = EventProducer(broker.cluster, open_registry(None))
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def write(broker: OwnBroker, topics: set[str]) -> Written:
    """Append to each topic, by turns, a good record and a poisonous one."""
    written = Written()
    async with producing(broker) as producer:
        for name in sorted(topics):
            good = golden_value(topic_named(name))
            for what, value in poison(topic_named(name), broker.settings).items():
                sent = await producer.send_raw(name, KEY, good, HEADERS, 0)
                written.good.add((name, sent.offset))
                sent = await producer.send_raw(name, KEY, value, HEADERS, 0)
                written.poison[name, sent.offset] = (what, value)
            sent = await producer.send_raw(name, KEY, good, HEADERS, 0)
            written.good.add((name, sent.offset))
    return written


async def letters(broker: OwnBroker) -> dict[tuple[str, Place], DeadLetter]:
    """Return the dead letters by consumer and place."""
    return {
        (letter.consumer, (letter.source_topic, letter.source_offset)): letter
        async for _, letter in dead_letters(broker)
        if letter.source_partition == 0
    }


@pytest.mark.timeout(300)
async def test_poison_is_set_aside_as_it_came_and_its_neighbours_are_processed(
    broker: OwnBroker, database: str, llm: str, tmp_path: Path
) -> None:
    settings = broker.settings.model_copy(
        update={"postgres_dsn": SecretStr(database), "openai_base_url": llm, "home": tmp_path}
    )
    inputs = inputs_of(settings)
    written = await write(broker, {topic for topics in inputs.values() for topic in topics} | {"personas"})
    environment = {"THREADS_POSTGRES_DSN": database, "OPENAI_BASE_URL": llm}
    worker = WorkerProcess(broker, ROLES, "0", tmp_path / "worker.log", **environment)
    try:
        for role, topics in inputs.items():
            await ConsumerGroup(broker.cluster, role).until_done(topics, worker.log)
        assert worker.process.poll() is None, worker.log()
    finally:
        worker.stop()
    found = await letters(broker)
    wrong = [
        f"{role}: {what} at {place}: {found.get((role, place))}"
        for role, topics in inputs.items()
        for place, (what, value) in written.poison.items()
        if place[0] in topics and not (value is None and topic_named(place[0]).compacted)  # a tombstone means something
        if not is_kept(found.get((role, place)), value, letter_room(settings))
    ]
    assert wrong == []
    refused = {(role, place): letter.reason for (role, place), letter in found.items() if place in written.good}
    assert {role for role, _ in refused} <= {"generation"}, refused  # requests of a persona that nobody applied
    assert all("persona" in reason for reason in refused.values()), refused


def inputs_of(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Return the topics that each role reads."""
    found = {}
    for name in ROLES:
        role = load_role(name)
        assert isinstance(role, Role)
        found[name] = tuple(topic for stage in role.build(settings) for topic in stage.topics)
    return found


def is_kept(letter: DeadLetter | None, value: bytes | None, room: int) -> bool:
    """Tell whether a letter has the bytes (as many as there is room for), the provenance and a reason."""
    if letter is None:
        return False
    if value is not None and letter.value is not None and len(value) > room:
        cut = value.startswith(letter.value) and "did not fit into its dead letter" in letter.reason
        value = letter.value if cut else value
    return (
        (letter.value, letter.key) == (value, KEY)
        and [(each.name, each.value) for each in letter.headers] == HEADERS
        and letter.error_class == "RecordFault"
        and len(letter.reason) > len("expected, got")
    )
