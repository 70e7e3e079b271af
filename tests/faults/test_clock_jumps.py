"""A worker whose wall clock jumps: counts are exact, and windows are those of the right clock once it is right."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agents.kpis.windows import PANES_PER_BLOCK, RETENTION_MS
from schemas.records import EngagementEvent
from schemas.registries.registry import open_registry
from streams.engine.stage import Output
from streams.kafka.producer import EventProducer
from tests.faults.conftest import WorkerProcess
from tests.support.faults.dated_load import DAY_MS, HOUR_MS, MINUTE_MS, counted, dated_events, now_ms, occurred_ms
from tests.support.faults.fault_report import BeginFault
from tests.support.faults.own_broker import OwnBroker, own_broker
from tests.support.faults.shifted_clock import ShiftedClock
from tests.support.faults.told_counts import CountsByWindow, ToldCounts

EVENTS = 10_000
FAR_DAYS = 3
DEADLINE_S = 120.0


@pytest.fixture
def broker() -> Iterator[OwnBroker]:
    with own_broker() as made:
        yield made


async def append(broker: OwnBroker, events: Sequence[EngagementEvent]) -> None:
    producer = EventProducer(broker.cluster, open_registry(None))
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
    run = begin_fault(f"a worker's clock jumps by {jump_min:+} min and back")
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


@pytest.mark.timeout(600)
async def test_a_jump_beyond_the_margin_costs_the_panes_that_expired_by_the_wrong_clock_and_nothing_else(
    broker: OwnBroker, tmp_path: Path, seed: int, begin_fault: BeginFault
) -> None:
    """Three days ahead: minutes are kept for 26 hours and hours for 31 days, so the longest window loses two days.

    What is lost comes back with time alone: windows are whole again when they have slid past the moment of the return.
    """
    run = begin_fault(f"a worker's clock jumps by {FAR_DAYS:+} days and back")
    clock = ShiftedClock(tmp_path / "offset")
    worker = WorkerProcess(broker, ("kpis",), "0", tmp_path / "worker.log", clock)
    before = [event for event in dated_events(f"{seed}-before", EVENTS) if not is_near_the_cut(event)]
    try:
        await append(broker, before)
        assert await run.settle_on(broker, lambda: counted(before, now_ms()), len(before)) == 0
        clock.set(FAR_DAYS * DAY_MS)
        run.inflict("jump")
        await until_acting(broker, worker, before, FAR_DAYS * DAY_MS)
        clock.set(0)
        run.inflict("return")
        after = dated_events(f"{seed}-after", EVENTS)
        await append(broker, after)

        def truth() -> CountsByWindow:
            now = now_ms()
            cut = now + FAR_DAYS * DAY_MS - RETENTION_MS["hour"]
            left = counted(before, now, {"1h": now, "24h": now, "30d": cut})
            return both(left, counted(after, now))

        assert await run.settle_on(broker, truth, len(after)) == 0, worker.log()[-3_000:]
    finally:
        worker.stop()


def is_near_the_cut(event: EngagementEvent) -> bool:
    """Tell whether it depends on the moment of the sweep, or on its block of panes, if the event's pane expires."""
    cut = now_ms() + FAR_DAYS * DAY_MS - RETENTION_MS["hour"]
    return abs(occurred_ms(event) - cut) < (2 + PANES_PER_BLOCK["hour"]) * HOUR_MS


def both(some: CountsByWindow, others: CountsByWindow) -> CountsByWindow:
    """Return two counts of different personas as one."""
    return {window: {**some[window], **others[window]} for window in some}
