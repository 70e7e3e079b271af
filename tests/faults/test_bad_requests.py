"""Records that are well formed and can't be used: requests nobody can write, and records of ten megabytes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from confluent_kafka import KafkaError, Producer

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.records import DraftGenerated, EngagementEvent, KpiUpdate, PersonaRequest, Record
from schemas.registries.registry import open_registry
from streams.kafka.log_reader import read_range
from streams.kafka.record_size import letter_room
from tests.faults.conftest import WorkerProcess
from tests.support.faults.consumer_group import ConsumerGroup
from tests.support.faults.own_broker import OwnBroker, own_broker
from tests.support.openai.loopback import LoopbackOpenAI, loopback_openai

COMMAND_TIMEOUT_S = 60.0
DEADLINE_S = 60.0
TEN_MEGABYTES = 10 * 2**20
NOW = datetime.now(UTC).replace(microsecond=0)
PERSONA = "night-shift-nora"
CODEC = RowCodec(open_registry(None))
REQUEST = PersonaRequest(event_id="r", occurred_at=NOW, persona_id=PERSONA, brief="napping before a night shift")
EVENT = EngagementEvent(event_id="e", occurred_at=NOW, persona_id="ada", post_id="p", kind="view", count=3)


@pytest.fixture(scope="module")
def broker() -> Iterator[OwnBroker]:
    with own_broker() as made:
        yield made


async def command(broker: OwnBroker, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run threads-agent beside the loopback server of the same event loop."""
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "streams.cli.main", *arguments],
        env=broker.environment(),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )


@asynccontextmanager
async def generating(broker: OwnBroker, folder: Path) -> AsyncIterator[WorkerProcess]:
    """Run a generation worker that writes with the loopback API, for the sample personas."""
    applied = await command(broker, "personas", "apply")
    assert applied.returncode == 0, applied.stderr
    async with loopback_openai(LoopbackOpenAI()) as provider:
        environment = {"OPENAI_BASE_URL": provider.base_url, "OPENAI_API_KEY": "sk-test"}
        worker = WorkerProcess(broker, ("generation",), "0", folder / "generation.log", **environment)
        try:
            yield worker
        finally:
            await asyncio.to_thread(worker.stop)


async def records(broker: OwnBroker, topic: str) -> list[Record]:
    found = []
    async for _, block in read_range(broker.cluster, topic):
        found += [CODEC.decode(topic_named(topic), record.value) for record in block]
    return found


async def until(check: Callable[[], Awaitable[bool]], explain: Callable[[], str]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not await check():
        assert time.monotonic() < deadline, explain()
        await asyncio.sleep(0.2)


async def letters(broker: OwnBroker, topic: str) -> dict[str, dict[str, Any]]:
    """Return what `dead-letters list` shows, by reason."""
    listed = await command(broker, "dead-letters", "list", "--json", "--topic", topic)
    assert listed.returncode == 0, listed.stderr
    return {letter["reason"]: letter for letter in json.loads(listed.stdout)}


def foreign_append(broker: OwnBroker, topic: str, values: list[bytes]) -> list[KafkaError | None]:
    """Append with librdkafka, which sends what the broker takes; return each record's error."""
    producer = Producer({"bootstrap.servers": broker.bootstrap, "message.max.bytes": 2 * TEN_MEGABYTES})
    errors: list[KafkaError | None] = []
    for value in values:
        producer.produce(topic, value, key=b"foreign", partition=0, on_delivery=lambda error, _: errors.append(error))
        assert producer.flush(30) == 0
    return errors


async def raise_limit(broker: OwnBroker, topic: str) -> None:
    """Let a topic take records of more than ten megabytes, as an operator may."""
    client = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await client.start()
    try:
        limit = {"max.message.bytes": str(2 * TEN_MEGABYTES)}
        (answer,) = await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=limit)])
        assert [each[0] for each in answer.resources] == [0], answer
    finally:
        await client.close()


async def append_when_allowed(broker: OwnBroker, topic: str, values: list[bytes]) -> None:
    """Append in order; a raised limit takes a moment to come from the controller to the broker."""

    async def taken(value: bytes) -> bool:
        return foreign_append(broker, topic, [value]) == [None]

    for value in values:
        await until(partial(taken, value), lambda: f"{topic} takes no record of ten megabytes")


async def test_bad_requests_are_set_aside_with_a_reason_and_their_neighbours_are_generated(
    broker: OwnBroker, tmp_path: Path
) -> None:
    lines = [
        {"event_id": "good-1", "persona_id": PERSONA, "brief": "napping before a night shift"},
        {"event_id": "empty", "persona_id": PERSONA, "brief": "  "},
        {"event_id": "nobody", "persona_id": "nobody-at-all", "brief": "napping"},
        {"event_id": "no-language", "persona_id": PERSONA, "brief": "napping", "language": "Klingon"},
        {"event_id": "good-2", "persona_id": PERSONA, "brief": "the coffee machine on ward four"},
    ]
    produced = await command(
        broker, "produce", "persona.requests", "-", stdin="\n".join(json.dumps(line) for line in lines)
    )
    assert produced.returncode == 1
    assert produced.stdout == "4 records appended to persona.requests, 1 lines refused\n"
    assert produced.stderr.startswith("line 2: PersonaRequest.brief must not be blank, got '  '")
    empty = CODEC.encode(topic_named("persona.requests"), replace(REQUEST, event_id="foreign-empty", brief=""))
    good = CODEC.encode(topic_named("persona.requests"), replace(REQUEST, event_id="good-3"))
    assert foreign_append(broker, "persona.requests", [empty, good]) == [None, None]

    async with generating(broker, tmp_path) as worker:

        async def all_written() -> bool:
            drafts = await records(broker, "drafts.generated")
            written = {each.request_id for each in drafts if isinstance(each, DraftGenerated)}
            return written == {"good-1", "good-2", "good-3"}

        await until(all_written, worker.log)
        group = ConsumerGroup(broker.cluster, "generation")
        await group.until_done(("persona.requests",), worker.log)
        assert worker.process.poll() is None
    reasons = "\n".join(await letters(broker, "persona.requests"))
    assert "persona 'nobody-at-all' is unknown; apply it with `threads-agent personas apply`" in reasons
    assert "PersonaRequest.brief must not be blank, got ''; correct it at the producer" in reasons
    assert "language must be an ISO 639-1 code such as en, got 'Klingon'" in reasons
    assert len(reasons.splitlines()) == 3


@pytest.mark.parametrize("topic", ["engagement.events", "persona.requests"])
def test_the_broker_refuses_ten_megabytes_from_a_foreign_producer(broker: OwnBroker, topic: str) -> None:
    (error,) = foreign_append(broker, topic, [bytes(TEN_MEGABYTES)])
    assert error is not None
    assert error.code() == KafkaError.MSG_SIZE_TOO_LARGE


async def test_ten_megabytes_of_engagement_are_set_aside_and_the_neighbours_counted(
    broker: OwnBroker, tmp_path: Path
) -> None:
    topic = topic_named("engagement.events")
    await raise_limit(broker, topic.name)
    events = [replace(EVENT, event_id=name) for name in ("before", "large", "after")]
    events[1] = replace(events[1], post_id="x" * TEN_MEGABYTES)
    await append_when_allowed(broker, topic.name, [CODEC.encode(topic, each) for each in events])
    worker = WorkerProcess(broker, ("kpis",), "0", tmp_path / "kpis.log")

    async def counted() -> bool:
        updates = await records(broker, "kpi.updates")
        lifetime = [each for each in updates if isinstance(each, KpiUpdate) and each.window == "lifetime"]
        return bool(lifetime) and lifetime[-1].views == 6

    try:
        await until(counted, worker.log)
        assert worker.process.poll() is None
    finally:
        await asyncio.to_thread(worker.stop)
    assert_one_is_cut(broker, await letters(broker, topic.name))


async def test_a_request_of_ten_megabytes_is_set_aside_and_the_neighbours_generated(
    broker: OwnBroker, tmp_path: Path
) -> None:
    topic = topic_named("persona.requests")
    await raise_limit(broker, topic.name)
    requests = [replace(REQUEST, event_id=name) for name in ("before", "large", "after")]
    requests[1] = replace(requests[1], brief="x" * TEN_MEGABYTES)
    await append_when_allowed(broker, topic.name, [CODEC.encode(topic, each) for each in requests])
    async with generating(broker, tmp_path) as worker:

        async def both_written() -> bool:
            drafts = await records(broker, "drafts.generated")
            written = {each.request_id for each in drafts if isinstance(each, DraftGenerated)}
            return {"before", "after"} <= written

        await until(both_written, worker.log)
        assert worker.process.poll() is None
    assert_one_is_cut(broker, await letters(broker, topic.name))


def assert_one_is_cut(broker: OwnBroker, found: dict[str, dict[str, Any]]) -> None:
    """Check that one letter is of a record of ten megabytes, says its size and keeps its beginning."""
    (reason,) = (reason for reason in found if "got 10,485," in reason)
    assert "expected a record of at most 1,048,576 bytes" in reason
    assert "bytes of the record did not fit into its dead letter" in reason
    kept = len(found[reason]["value"]) * 3 // 4
    assert letter_room(broker.settings) - 100 < kept <= letter_room(broker.settings) + 2
