"""The policy `stop` under kill -9: a partition goes past no record that it should not, and counts none twice."""

from __future__ import annotations

import asyncio
import copy
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.codec.wire_format import HEADER_BYTES, header
from schemas.definitions import definition
from schemas.records import EngagementEvent
from schemas.registries.http_registry import HttpRegistry
from schemas.registries.registry import open_registry
from streams.engine.batch import TopicPartition
from streams.kafka.consumer_lag import LagReader
from streams.running_workers import running_workers, stopped_roles
from tests.conftest import REPOSITORY, Stack
from tests.faults.conftest import WorkerProcess
from tests.support.faults.dead_letters import dead_letters
from tests.support.faults.fault_report import BeginFault
from tests.support.faults.own_broker import OwnBroker, own_broker
from tests.support.faults.poison import golden_record
from tests.support.faults.told_counts import difference, settled
from tests.support.record_batches import Given, append

TOPIC = topic_named("engagement.events")
STOPPED, OTHER = "stopped", "other"
SOURCE = TopicPartition(TOPIC.name, 0)
EACH = 10
DEADLINE_S = 90.0
KILLS = 1


@pytest.fixture
def broker() -> Iterator[OwnBroker]:
    with own_broker() as made:
        yield made


def event(persona: str) -> Given:
    made = golden_record(TOPIC)
    assert isinstance(made, EngagementEvent)
    record = replace(made, event_id=uuid4().hex, persona_id=persona, kind="like", count=1)
    return Given(persona.encode(), RowCodec(open_registry(None)).encode(TOPIC, record))


async def until_stopped_at(broker: OwnBroker, offset: int, worker: WorkerProcess) -> str:
    """Wait until the worker says that it is stopped there; return what it says."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        told = stopped_roles(running_workers(broker.settings.home)).get("kpis", "")
        if f"{TOPIC.name}/0 stopped at offset {offset}:" in told:
            return told
        assert time.monotonic() < deadline, f"{told}\n{worker.log()[-3_000:]}"
        await asyncio.sleep(0.1)


async def committed(broker: OwnBroker) -> int:
    async with LagReader(broker.cluster) as reader:
        [lag] = await reader.lags_from("kpis", {SOURCE: None})
    return lag.position


def let_pass(broker: OwnBroker, offset: int, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streams.cli.main", "dead-letters", "pass", TOPIC.name, "--partition", "0"]
    return subprocess.run(
        [*command, "--offset", str(offset), "--consumer", "kpis", "--because", "a test", "--by", "tester"],
        cwd=REPOSITORY, env={**broker.environment(), **environment}, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip


@pytest.mark.timeout(300)
async def test_a_stopped_partition_passes_nothing_and_counts_nothing_twice_whatever_is_killed(
    broker: OwnBroker, stack: Stack, tmp_path: Path, begin_fault: BeginFault
) -> None:
    run = begin_fault(f"kill -9 of a worker that is stopped at a record, {KILLS} at each of two")
    environment = {"THREADS_DEAD_LETTER_POLICY": f"{TOPIC.name}=stop", "THREADS_REGISTRY_URL": stack.registry_url}
    with closing(HttpRegistry(stack.registry_url)) as registry:
        name = f"before stop {uuid4().hex}"
        missing = registry.register("before.stop-value", {**definition("EngagementEvent"), "doc": name}) + 1
        later = event(STOPPED)
        assert later.value is not None
        unknown = Given(later.key, header(missing) + later.value[HEADER_BYTES:])
        garbage = Given(STOPPED.encode(), b"no event")
        parts = [[event(STOPPED) for _ in range(EACH)] for _ in range(3)]
        await append(broker.bootstrap, TOPIC.name, 0, [*parts[0], unknown, *parts[1], garbage, *parts[2]])
        await append(broker.bootstrap, TOPIC.name, 1, [event(OTHER) for _ in range(EACH)])
        worker = WorkerProcess(broker, ("kpis",), "0", tmp_path / "kpis.log", **environment)
        try:
            told = await stopped_through_kills(broker, worker, EACH)
            assert f"got id {missing}" in told
            assert f"dead-letters pass {TOPIC.name} --partition 0 --offset {EACH} --consumer kpis" in told
            of_others = {STOPPED: Counter({"likes": EACH}), OTHER: Counter({"likes": EACH})}
            assert await settled(broker, of_others) == of_others
            newer = {**copy.deepcopy(definition("EngagementEvent")), "doc": f"{name}, and later"}
            assert registry.register(TOPIC.subject, newer) == missing
            at = 2 * EACH + 1
            assert "expected magic byte" in await stopped_through_kills(broker, worker, at)
            elsewhere = let_pass(broker, at + 1, **environment)
            assert (elsewhere.returncode, "not before" in elsewhere.stderr) == (2, True), elsewhere.stderr
            assert [each async for each in dead_letters(broker)] == []
            passed = let_pass(broker, at, **environment)
            assert passed.returncode == 0, passed.stderr
            worker.restart()
            everything = {STOPPED: Counter({"likes": 3 * EACH + 1}), OTHER: Counter({"likes": EACH})}
            counted = await settled(broker, everything)
            run.difference = difference({"lifetime": counted}, {"lifetime": everything})
            assert counted == everything
        finally:
            worker.stop()
    [(_, letter)] = [each async for each in dead_letters(broker)]
    assert (letter.source_offset, letter.value, letter.error_class) == (at, b"no event", "LetPass")
    assert letter.reason.startswith("let pass by tester: a test; expected magic byte")


async def stopped_through_kills(broker: OwnBroker, worker: WorkerProcess, offset: int) -> str:
    """Kill the worker where it is stopped, and see that it stops there again; return what it tells."""
    told = await until_stopped_at(broker, offset, worker)
    for _ in range(KILLS):
        worker.restart()
        told = await until_stopped_at(broker, offset, worker)
    deadline = time.monotonic() + DEADLINE_S
    while (at := await committed(broker)) != offset:  # what is before it is committed a moment after it stopped
        assert at < offset, "it is behind a record that it must not pass"
        assert time.monotonic() < deadline, worker.log()[-3_000:]
        await asyncio.sleep(0.1)
    return told
