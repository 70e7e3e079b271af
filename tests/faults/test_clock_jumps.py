"""Clocks that jump, of the producers and of a worker: counts are exact, and windows are those of the right clock."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from schemas.records import EngagementEvent
from schemas.registry import open_registry
from streams.engine.stage import Output
from streams.kafka.producer import EventProducer
from tests.faults.conftest import WorkerProcess
from tests.faults.dated_load import MINUTE_MS, counted, dated_events, now_ms
from tests.faults.fault_report import BeginFault
from tests.faults.own_broker import OwnBroker, own_broker
from tests.faults.shifted_clock import ShiftedClock
from tests.faults.told_counts import ToldCounts

EVENTS = 10_000
DEADLINE_S = 120.0


@pytest.fixture
def broker() -> Iterator[OwnBroker]:
    with own_broker() as made:
        yield made


async def append(broker: OwnBroker, events: Sequence[EngagementEvent]) -> None:
    producer = EventProducer(broker.bootstrap, open_registry(None), broker.settings)
    await producer.start()
    try:
        await producer.append_all([Output("engagement.events", event) for event in events])
    finally:
        await producer.stop()


async def until_acting(
    broker: OwnBroker, worker: WorkerProcess, events: Sequence[EngagementEvent], offset_ms: int
) -> None:
    """Wait until the worker has told windows by its wrong clock, or the broker has refused its records."""
    told = ToldCounts(broker, counted(events, now_ms()))
    async with asyncio.timeout(DEADLINE_S):
        while not worker.said("is unavailable, waiting"):
            await told.read()
            as_of = told.last_as_of
            if as_of is not None and abs(as_of.timestamp() * 1000 - (now_ms() + offset_ms)) < 10 * MINUTE_MS:
                return
            await asyncio.sleep(0.2)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("jump_min", [50, -50, 110, -110, -3 * 24 * 60])
async def test_a_clock_that_jumps_and_returns_leaves_every_window_right(
    broker: OwnBroker, tmp_path: Path, seed: int, begin_fault: BeginFault, jump_min: int
) -> None:
    run = begin_fault(f"clock jumps by {jump_min:+} min and back")
    clock = ShiftedClock(tmp_path / "offset")
    worker = WorkerProcess(broker, ("kpis",), "0", tmp_path / "worker.log", clock)
    events = dated_events(f"{seed}-before", EVENTS)
    try:
        await append(broker, events)
        assert await run.settle_on(broker, lambda: counted(events, now_ms()), EVENTS) == 0
        clock.set(jump_min * MINUTE_MS)
        run.inflict("jump")
        meanwhile = dated_events(f"{seed}-meanwhile", EVENTS)
        await append(broker, meanwhile)
        await until_acting(broker, worker, meanwhile, jump_min * MINUTE_MS)
        clock.set(0)
        run.inflict("return")
        after = dated_events(f"{seed}-after", EVENTS)
        await append(broker, after)
        events += [*meanwhile, *after]
        assert await run.settle_on(broker, lambda: counted(events, now_ms()), 2 * EVENTS) == 0, worker.log()[-3_000:]
    finally:
        worker.stop()
