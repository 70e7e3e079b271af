"""Idle or stuck: what a loop is at, what /livez and /readyz tell of it, and when the watchdog ends the worker."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from streams.embedded.ports import free_port
from streams.engine.batch import TopicPartition
from streams.engine.health import JOIN_WITHIN_S, LIVE, READY, LoopNow, State, WorkerHealth, health_of
from streams.engine.watchdog import EXIT_STATUS, Watchdog
from streams.kafka.cluster import Cluster
from streams.metrics_server import MetricsServer
from streams.quarantine.quarantine import SILENT_DEATHS, Quarantine
from streams.settings import Settings
from tests.support.loop_in_memory import SOURCE, CountingStage, StageWorker, Surroundings, event
from tests.support.until import until

LIMIT_S = 60.0
OTHER = TopicPartition(SOURCE.topic, 1)
AT_REST = LoopNow(
    stage="counting",
    topics=(SOURCE.topic,),
    is_joined=True,
    owned=frozenset({SOURCE}),
    positions={SOURCE: 5},
    restoring=frozenset(),
    doing="nothing",
    step="",
    progress_s=LIMIT_S + 1,
    breaker="closed",
    waits_for="",
    has_long_calls=False,
)


@dataclass
class Fetched:
    """What a transport knows, as the test says."""

    ends: dict[TopicPartition, int] = field(default_factory=dict)
    full: set[TopicPartition] = field(default_factory=set)

    def newest(self, source: TopicPartition) -> int | None:
        return self.ends.get(source)

    def is_full(self, source: TopicPartition) -> bool:
        return source in self.full


@pytest.mark.parametrize(
    ("now", "state", "is_suspicious", "is_starved"),
    [
        (AT_REST, "idle", True, True),
        (replace(AT_REST, progress_s=LIMIT_S - 1), "idle", False, False),
        (replace(AT_REST, behind=7), "working", True, True),
        (replace(AT_REST, doing="work", step="folds"), "working", True, False),
        (replace(AT_REST, doing="trial"), "working", False, False),
        (replace(AT_REST, doing="room"), "working", False, False),
        (replace(AT_REST, behind=7, is_full=True, has_long_calls=True), "working", False, False),
        (replace(AT_REST, behind=7, is_full=True), "working", True, True),
        (replace(AT_REST, doing="work", breaker="open", waits_for="database away"), "waiting", False, False),
        (replace(AT_REST, doing="work", breaker="half-open"), "waiting", False, False),
        (replace(AT_REST, restoring=frozenset({SOURCE}), doing="work"), "restoring", False, False),
        (replace(AT_REST, owned=frozenset(), positions={}), "unassigned", False, False),
        (replace(AT_REST, is_joined=False, owned=frozenset()), "joining", False, False),
        (replace(AT_REST, is_joined=False, progress_s=LIMIT_S + JOIN_WITHIN_S + 1), "joining", True, True),
    ],
)
def test_what_a_stage_is_at_tells_idle_from_stuck(
    now: LoopNow,
    state: State,
    is_suspicious: bool,
    is_starved: bool,
) -> None:
    found = health_of(now, LIMIT_S)
    assert (found.state, found.is_suspicious, found.is_starved) == (state, is_suspicious, is_starved)
    assert not health_of(now, None).is_suspicious
    assert now.waits_for in found.reason


async def test_a_loop_tells_what_it_is_at() -> None:
    surroundings, fetched = Surroundings(), Fetched()
    for _ in range(3):
        surroundings.produce(event("ada"))
    stage = CountingStage()
    worker = StageWorker(surroundings, stage)

    def state() -> str:
        return health_of(worker.loop.now(fetched), LIMIT_S).state

    assert state() == "joining"
    await worker.join(1)
    assert state() == "unassigned"
    await worker.join(2, SOURCE)
    assert state() == "restoring"
    await worker.loop.tick()
    fetched.ends[SOURCE] = 3
    assert (state(), worker.loop.now(fetched).positions) == ("idle", {SOURCE: None})
    await worker.deliver(most=2)
    now = worker.loop.now(fetched)
    assert (state(), now.positions, now.behind) == ("working", {SOURCE: 2}, 1)
    await worker.deliver(most=1)
    assert (state(), worker.loop.now(fetched).positions) == ("idle", {SOURCE: 3})
    stage.away["flush"] = 1_000_000
    checkpoint = asyncio.create_task(worker.checkpoint())
    await until(lambda: state() == "waiting")
    now = worker.loop.now(fetched)
    assert (now.doing, now.waits_for) == ("work", "flush finds its surroundings away")
    worker.now += 10 * LIMIT_S
    stage.away["flush"] = 0
    await checkpoint
    assert not health_of(worker.loop.now(fetched), LIMIT_S).is_suspicious  # the wait was none of its own


async def test_work_that_hangs_is_told_with_its_step_and_gets_no_younger() -> None:
    surroundings, fetched = Surroundings(), Fetched()
    surroundings.produce(event("ada"))
    stage = CountingStage()
    worker = StageWorker(surroundings, stage)
    await worker.join(1, SOURCE)
    stage.gate.clear()
    delivery = asyncio.create_task(worker.deliver())
    await stage.waiting.wait()
    worker.now += LIMIT_S + 1
    found = health_of(worker.loop.now(fetched), LIMIT_S)
    assert (found.state, found.is_suspicious, found.is_starved) == ("working", True, False)
    assert found.reason.startswith(f"folds {SOURCE.topic}/0 from offset 0")
    stage.gate.set()
    await delivery
    assert not health_of(worker.loop.now(fetched), LIMIT_S).is_suspicious


async def test_an_idle_stage_that_begins_to_work_is_given_the_whole_limit() -> None:
    surroundings, fetched = Surroundings(), Fetched()
    stage = CountingStage()
    worker = StageWorker(surroundings, stage)
    await worker.join(1, SOURCE)
    await worker.loop.tick()
    worker.now += 10 * LIMIT_S
    assert health_of(worker.loop.now(fetched), LIMIT_S).is_starved
    surroundings.produce(event("ada"))
    stage.gate.clear()
    delivery = asyncio.create_task(worker.deliver())
    await stage.waiting.wait()
    assert not health_of(worker.loop.now(fetched), LIMIT_S).is_suspicious
    stage.gate.set()
    await delivery


def answer(url: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(url, timeout=20) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@asynccontextmanager
async def pages(health: WorkerHealth) -> AsyncIterator[Callable[[str], Any]]:
    """Serve the pages of a worker's health; what is yielded asks for one."""
    server = MetricsServer(
        host="127.0.0.1", port=0, port_setting="none", pages={LIVE: health.live, READY: health.ready}
    )
    root = server.url.removesuffix("/metrics")
    try:
        yield lambda path: asyncio.to_thread(answer, root + path)
    finally:
        await asyncio.to_thread(server.close)


async def test_a_worker_is_ready_when_all_its_roles_are_and_says_which_is_not() -> None:
    surroundings, fetched = Surroundings(), Fetched()
    worker = StageWorker(surroundings, CountingStage())
    health = WorkerHealth(asyncio.get_running_loop(), ["counts", "serves"], {}, LIMIT_S)
    async with pages(health) as ask:
        status, body = await ask(READY)
        assert (status, body["reasons"]) == (503, ["counts starts, or stops", "serves starts, or stops"])
        with health.serving("serves"), health.watching("counts", [worker.loop], fetched):
            status, body = await ask(READY)
            assert (status, body["reasons"]) == (503, ["counts/counting joins its group for 0 s"])
            assert (await ask(LIVE))[0] == 200
            await worker.join(1)
            status, body = await ask(READY)
            assert (status, [each["state"] for each in body["stages"]]) == (200, ["unassigned", "working"])
            worker.loop.breaker._turn("open", "no database at 127.0.0.1")
            status, body = await ask(READY)
            waits = "counts/counting waits for what it needs: no database at 127.0.0.1"
            assert (status, body["status"], body["reasons"]) == (503, "not ready", [waits])
            status, body = await ask(LIVE)  # another start would not help
            assert (status, body["stages"][0]["reason"]) == (200, waits)


async def test_a_role_that_was_given_up_makes_the_worker_not_ready_but_alive() -> None:
    health = WorkerHealth(asyncio.get_running_loop(), [], {"counts": "it ended 6 times in a row"}, LIMIT_S)
    async with pages(health) as ask:
        assert await ask(LIVE) == (200, {"status": "live", "reasons": [], "stages": (await ask(READY))[1]["stages"]})
        status, body = await ask(READY)
        assert (status, body["reasons"]) == (503, ["counts was given up: it ended 6 times in a row"])


async def test_an_event_loop_that_does_not_answer_is_not_ready_and_after_the_limit_not_alive() -> None:
    other = asyncio.new_event_loop()  # that does not run
    now = 0.0
    health = WorkerHealth(other, [], {}, LIMIT_S, answer_timeout_s=0.01, monotonic=lambda: now)
    try:
        async with pages(health) as ask:
            assert [(await ask(path))[0] for path in (LIVE, READY)] == [200, 503]
            now = LIMIT_S + 1
            status, body = await ask(LIVE)
            assert (status, body["status"]) == (503, "stuck")
            assert "event loop" in body["reasons"][0]
    finally:
        other.close()


@dataclass
class Ends:
    """What a watchdog did."""

    told: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    exited: threading.Event = field(default_factory=threading.Event)

    def end(self, why: str, role: str | None, stage: str | None) -> None:
        self.told.append((why, role, stage))

    def leave(self, status: int) -> None:
        self.statuses.append(status)
        self.exited.set()


@contextmanager
def watched(health: WorkerHealth) -> Iterator[Ends]:
    """Watch over a worker whose broker is away."""
    ends = Ends()
    cluster = Cluster.of(Settings(kafka=f"127.0.0.1:{free_port()}", io_timeout_s=0.5))
    with Watchdog(health, cluster, ends=ends.end, within_s=0.05, exit_process=ends.leave):
        yield ends


async def test_the_watchdog_ends_a_worker_whose_loop_hangs_and_the_process_if_that_does_not_end_it() -> None:
    surroundings, stage = Surroundings(), CountingStage()
    surroundings.produce(event("ada"))
    worker = StageWorker(surroundings, stage)
    await worker.join(1, SOURCE)
    health = WorkerHealth(asyncio.get_running_loop(), ["counts"], {}, 0.2)
    stage.gate.clear()
    delivery = asyncio.create_task(worker.deliver())
    with health.watching("counts", [worker.loop], Fetched()), watched(health) as ends:
        await stage.waiting.wait()
        assert not ends.told
        worker.now += 1
        await until(ends.exited.is_set)
    [(why, role, named)] = ends.told
    assert (role, named, ends.statuses) == ("counts", "counting", [EXIT_STATUS])
    assert "makes no progress while records wait: it folds" in why
    assert health.live()[0] == 503
    stage.gate.set()
    await delivery


async def test_the_watchdog_believes_what_the_broker_last_told_where_it_is_away_and_leaves_who_is_idle() -> None:
    surroundings, fetched = Surroundings(), Fetched()
    surroundings.produce(event("ada"))
    worker = StageWorker(surroundings, CountingStage())
    await worker.join(1, SOURCE)
    await worker.deliver()
    await worker.checkpoint()
    health = WorkerHealth(asyncio.get_running_loop(), ["counts"], {}, 0.2)
    worker.now += 1
    with health.watching("counts", [worker.loop], fetched), watched(health) as ends:
        fetched.ends[SOURCE] = 1
        asked = time.monotonic()
        await until(lambda: time.monotonic() - asked > 1)  # several times the limit
        assert not ends.told
        fetched.ends[SOURCE] = 4
        await until(ends.exited.is_set)
    assert re.search(r"it got no records for \d s, and 3 offsets wait", ends.told[0][0])


def test_records_whose_work_hangs_again_and_again_come_under_suspicion() -> None:
    surroundings = Surroundings()
    surroundings.produce(event("ada"))
    worker = StageWorker(surroundings, CountingStage())
    quarantine = Quarantine()
    worker.transport.position[SOURCE] = 0
    piece = worker.transport.fetch(SOURCE, 1)
    assert piece is not None
    for death in range(1, SILENT_DEATHS + 1):
        assert not quarantine.findings.suspects
        quarantine.begin()
        with quarantine.at_work(piece):
            quarantine.hung("it folds")
        assert quarantine.findings.silent_deaths == death
    [suspect] = quarantine.findings.suspects
    assert (suspect.span.source, suspect.error_class) == (SOURCE, "Hung")
