"""The KPI state rebuilt while workers count on: the same, switched in one step, and right where it was wrong."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.kpis.counters import SOURCE_TOPICS
from agents.kpis.partials import TOPIC as PARTIALS
from agents.kpis.rebuilding.log import kept_states
from agents.kpis.rebuilding.versions import changelog_of, live_version
from agents.kpis.tables.counter_table import decode_rows, encode_rows
from streams.kafka.producer import EventProducer
from streams.kafka.topics import topic_names
from streams.operations.runs import read_runs
from tests.conftest import REPOSITORY
from tests.faults.conftest import WorkerProcess
from tests.support.faults import half_rebuild
from tests.support.faults.consumer_group import ConsumerGroup
from tests.support.faults.engagement_load import Load, load, produced
from tests.support.faults.fault_report import BeginFault
from tests.support.faults.half_rebuild import HALF
from tests.support.faults.own_broker import OwnBroker, own_broker
from tests.support.faults.told_counts import settled_difference

WITHIN_S = 60.0


@pytest.fixture(scope="module")
def broker() -> Iterator[OwnBroker]:
    with own_broker() as made:
        yield made


@pytest.fixture
def worker(broker: OwnBroker, tmp_path: Path) -> Iterator[WorkerProcess]:
    made = WorkerProcess(broker, ("kpis",), "0", tmp_path / "worker.log")
    yield made
    made.stop()


def begun(broker: OwnBroker, *arguments: str, module: str = "streams.cli.main") -> subprocess.Popen[str]:
    command = [sys.executable, "-m", module, "rebuild", "kpis", *arguments]
    environment = {**os.environ, **broker.environment()}
    return subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


async def rebuilt(broker: OwnBroker, *arguments: str, status: int = 0) -> dict[str, Any]:
    """Rebuild, and return what was printed."""
    process = begun(broker, "--json", *arguments)
    out, err = await asyncio.to_thread(process.communicate, timeout=120)
    assert process.returncode == status, out + err
    found: dict[str, Any] = json.loads(out)
    return found


async def sent(broker: OwnBroker, load_: Load) -> None:
    async for _ in produced(broker, load_):
        pass


async def until_counted(broker: OwnBroker, worker: WorkerProcess, *loads: Load) -> None:
    for each in loads:
        assert await settled_difference(broker, each.truth_by_window, WITHIN_S) == 0, worker.log()[-3_000:]
    await ConsumerGroup(broker.cluster, "kpis").until_done((*SOURCE_TOPICS, PARTIALS), worker.log, WITHIN_S)


@pytest.mark.timeout(300)
async def test_a_rebuilt_state_is_the_live_one_and_takes_its_place_while_workers_count_on(
    broker: OwnBroker, worker: WorkerProcess, seed: int, begin_fault: BeginFault
) -> None:
    run = begin_fault("kill -9 of a rebuild, and a switch at work")
    first, second, third = load(seed, 20_000), load(seed, 5_000), load(seed, 5_000)
    await sent(broker, first)
    await until_counted(broker, worker, first)

    before = await live_version(broker.cluster)
    killed = begun(broker, module=half_rebuild.__name__)
    assert killed.stdout is not None
    assert HALF in await asyncio.to_thread(killed.stdout.readline)
    assert changelog_of(before + 1) in await topic_names(broker.cluster)
    killed.kill()
    run.inflict("kill -9 as it writes")
    killed.communicate(timeout=30)
    assert await live_version(broker.cluster) == before

    sending = asyncio.create_task(sent(broker, second))
    beside = await rebuilt(broker)
    assert (beside["compared"], beside["switched"], beside["differences"]) == (True, False, [])
    assert beside["events"] >= len({event.event_id for event in first.events})
    await sending
    switched = await rebuilt(broker, "--switch")
    run.inflict("switch")
    assert (switched["switched"], switched["differences"]) == (True, [])
    await sent(broker, third)
    assert await run.settle(broker, third) == 0, worker.log()[-3_000:]
    await until_counted(broker, worker, first, second, third)
    assert await live_version(broker.cluster) == switched["version"] > before
    assert worker.said("begins anew")

    again = await rebuilt(broker)  # what the new version has counted on is what a count from the beginning gives
    assert again["live_before"] == switched["version"]
    assert (again["compared"], again["differences"]) == (True, [])
    runs = [each for each in (await read_runs(broker.cluster)).values() if each.target == "kpis"]
    assert [each.status for each in runs] == ["running", "done", "done", "done"]


@pytest.mark.timeout(300)
async def test_a_wrong_counter_is_found_and_mended(broker: OwnBroker, worker: WorkerProcess, seed: int) -> None:
    counted = load(seed, 2_000)
    await sent(broker, counted)
    await until_counted(broker, worker, counted)
    worker.stop()
    live = await live_version(broker.cluster)
    persona = next(iter(counted.truth))
    partition, key, value = await lifetime_of(broker, live, persona)
    stamps, entries = decode_rows([value])
    entries.amount[0] += 7  # the last counter may be late_events, which the clock explains
    [wrong] = encode_rows(stamps, entries)
    async with EventProducer(broker.cluster, broker.cluster.open_registry()) as producer:
        await producer.append_raw(changelog_of(live), partition, [(key, wrong)])

    refused = await rebuilt(broker, "--switch", status=1)
    assert not refused["switched"]
    [found] = [each for each in refused["differences"] if each["persona_id"] == persona]
    assert (found["where"], found["live"] - found["rebuilt"]) == ("lifetime", 7)
    assert refused["differing_counters"] + refused["differing_late_events"] == 1
    mended = await rebuilt(broker, "--switch", "--accept-differences")
    assert mended["switched"]
    old = begun(broker, "--drop", str(live), "--yes")
    old.communicate(timeout=60)
    assert old.returncode == 0
    assert changelog_of(live) not in await topic_names(broker.cluster)
    worker.start()
    more = load(seed, 1_000)
    await sent(broker, more)
    await until_counted(broker, worker, counted, more)


async def lifetime_of(broker: OwnBroker, version: int, persona: str) -> tuple[int, bytes, bytes]:
    key = b"l" + persona.encode()
    for partition, state in (await kept_states(broker.cluster, changelog_of(version))).items():
        if key in state:
            return partition, key, state[key]
    raise AssertionError(persona)
