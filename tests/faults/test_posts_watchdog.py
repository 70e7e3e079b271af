"""A publisher that hangs is seen from outside: the watchdog notices what is overdue, and nothing comes of it twice."""

from __future__ import annotations

import asyncio
import signal
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agents.personas.posting import PostingPlan
from agents.publishing.watchdog_metrics import POSTS_OVERDUE
from schemas.catalogue import topic_named
from schemas.records import PostCommand
from streams.kafka.topic_tail import WHOLE, TopicTail
from streams.running_workers import running_workers
from streams.wall_clock import utc_now
from tests.conftest import Stack
from tests.faults.conftest import WorkerProcess
from tests.support.faults.fault_report import BeginFault
from tests.support.faults.shifted_clock import ShiftedClock
from tests.support.publishing_broker import AtSimulator, Publishing, simulated

DEADLINE_S = 90.0
DUE_IN, LATER_MS = timedelta(minutes=20), 40 * 60 * 1_000
NO_LEAD = {"THREADS_PUBLISH_LEAD_S": "0"}


@pytest.fixture
def at_simulator(stack: Stack, tmp_path: Path) -> Iterator[tuple[AtSimulator, Publishing]]:
    with simulated(stack, tmp_path / "home") as both:
        yield both


@pytest.fixture
async def publishing(at_simulator: tuple[AtSimulator, Publishing]) -> AsyncIterator[Publishing]:
    yield at_simulator[1]
    await at_simulator[1].close()


@pytest.fixture
def publisher(at_simulator: tuple[AtSimulator, Publishing], tmp_path: Path) -> Iterator[WorkerProcess]:
    made = WorkerProcess(at_simulator[0], ("publishing",), "0", tmp_path / "publisher.log", None, **NO_LEAD)
    yield made
    made.process.send_signal(signal.SIGCONT)
    made.stop()


@pytest.fixture
def clock(tmp_path: Path) -> ShiftedClock:
    """The watchdog's clock."""
    return ShiftedClock(tmp_path / "offset")


@pytest.fixture
def watchdog(
    at_simulator: tuple[AtSimulator, Publishing], tmp_path: Path, clock: ShiftedClock
) -> Iterator[WorkerProcess]:
    made = WorkerProcess(at_simulator[0], ("posts-watchdog",), "0", tmp_path / "watchdog.log", clock)
    yield made
    assert made.stop() == 0


async def heals(stack: Stack, publication_id: str, holds: Callable[[list[PostCommand]], bool]) -> list[PostCommand]:
    """Return the watchdog's commands for a publication, once they hold."""
    topic = topic_named("posts.commands")
    tail = TopicTail(stack.cluster, stack.cluster.open_registry(), {topic: WHOLE}, PostCommand)
    found: list[PostCommand] = []
    deadline = time.monotonic() + DEADLINE_S
    try:
        while not holds(found):
            assert time.monotonic() < deadline, found
            found += [
                each for each in await tail.news() if (each.kind, each.publication_id) == ("heal", publication_id)
            ]
            await asyncio.sleep(0.05)
    finally:
        await tail.close()
    return found


def overdue(home: Path) -> float:
    """Return how many posts the watchdog of a home says are overdue."""
    [worker] = [each for each in running_workers(home) if "posts-watchdog" in each.roles]
    with urllib.request.urlopen(worker.metrics_url, timeout=10) as answer:
        text = answer.read().decode()
    [family] = [each for each in text_string_to_metric_families(text) if each.name == POSTS_OVERDUE.name]
    return float(family.samples[0].value)


@pytest.mark.timeout(240)
async def test_a_publisher_that_is_stopped_is_noticed_and_its_post_is_there_once_when_it_goes_on(
    publishing: Publishing,
    publisher: WorkerProcess,
    watchdog: WorkerProcess,
    clock: ShiftedClock,
    begin_fault: BeginFault,
) -> None:
    run, stack = begin_fault("SIGSTOP of the publisher with a post due"), publishing.stack
    await publishing.apply(PostingPlan())
    publication_id, text = str(uuid4()), f"once {uuid4().hex}"
    due = {"publication_id": publication_id, "texts": (text,)}
    await publishing.command("schedule", **due, due_at=utc_now() + DUE_IN)
    await publishing.until(lambda: publishing.all_are("scheduled", [publication_id]), publisher.log)
    await watchdog.until_running()
    publisher.process.send_signal(signal.SIGSTOP)
    run.inflict("SIGSTOP")
    clock.set(LATER_MS)  # it was due a while ago
    [heal, *_] = await heals(stack, publication_id, bool)
    assert (heal.persona_id, heal.requested_by) == (publishing.persona_id, "posts-watchdog")
    assert heal.reason is not None
    assert "still scheduled" in heal.reason
    assert overdue(publishing.settings.home) >= 1
    publisher.process.send_signal(signal.SIGCONT)
    began_s = time.monotonic()
    await publishing.command("schedule", publication_id=publication_id, due_at=utc_now())
    await publishing.until(lambda: publishing.all_are("published", [publication_id]), publisher.log)
    assert run.found(len(publishing.posts()) - 1, time.monotonic() - began_s) == 0
    assert publishing.posts() == [text]
    publishing.check()
    told = await heals(stack, publication_id, bool)
    assert len({each.event_id for each in told}) == len(told), "healed twice for one reason"
    run.events = 1
