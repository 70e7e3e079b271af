"""KPIs: whatever producers, workers, broker and clock do, what is told last is what a naive reference counts.

`./run_tests.sh tests/unit/test_kpi_property.py --hypothesis-profile long` looks for longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import assert_never

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.kpis import fold
from schemas.catalogue import topic_named
from schemas.records import EngagementEvent, KpiUpdate
from streams.engine.batch import TopicPartition
from streams.errors import Unavailable
from tests.loop_in_memory import ROWS
from tests.unit import kpi_reference as reference
from tests.unit.kpi_group import KpiGroup, PowerCut, StageName, StageSurroundings, Tear
from tests.unit.kpi_histories import (
    HORIZONS,
    Checkpoint,
    Crash,
    Deliver,
    DeliverOne,
    Happening,
    Meet,
    MeetTear,
    Produce,
    ProduceRefused,
    Rebalance,
    SetClock,
    Settle,
    histories,
)
from tests.unit.kpi_reference import DAY_MS, EPOCH, HOUR_MS, WINDOWS, Logged
from tests.unit.kpi_sends import Age, Cost, Engagement, Revenue, Send, event_of

START_MS = 1_790_000_000_000
GARBAGE = b"\x00\x00\x00\x00\x07 no event"


class History:
    """A group that lives through happenings, one after the other."""

    def __init__(self, targets: int, horizon: int) -> None:
        self.group = KpiGroup(targets, horizon, START_MS)
        self.newest_ms = START_MS
        self.ids = 0

    async def live(self, happenings: Sequence[Happening]) -> None:
        await self.group.rebalance(self.group.owners)
        for each in happenings:
            await self.happen(each)
        await self.happen(Settle(5))

    async def happen(self, happening: Happening) -> None:  # noqa: C901, PLR0912 - a case each
        group = self.group
        match happening:
            case Produce():
                for send in happening.sends:
                    self.produce(send)
            case ProduceRefused():
                self.produce_refused(happening)
            case Deliver():
                for source in group.sources:
                    await group.deliver(source, happening.most, due=happening.due)
            case DeliverOne():
                await group.deliver(group.sources[happening.partition], happening.most, due=happening.due)
            case Checkpoint():
                await group.checkpoint(happening.stage)
            case Meet():
                fault = (happening.operation, happening.moment, _error(away=happening.away))
                self.around(happening.stage).faults.append(fault)
            case MeetTear():
                tear = Tear(happening.operation, happening.arriving, _error(away=happening.away))
                self.around(happening.stage).tear = tear
            case Crash():
                await group.crash(happening.slot, store_lost=happening.store_lost)
            case Rebalance():
                owners = [happening.owners >> number & 1 for number in range(len(group.sources))]
                await group.rebalance(owners, happening.asleep)
            case SetClock():
                group.set_clock(happening.at(group.now_ms))
                self.newest_ms = max(self.newest_ms, group.now_ms)
            case Settle():
                group.set_clock(self.newest_ms)
                await group.settle(happening.most)
                self.compare()
            case _:
                assert_never(happening)

    def around(self, stage: StageName) -> StageSurroundings:
        return self.group.fold if stage == "fold" else self.group.merge

    def produce(self, send: Send) -> None:
        topic, event = event_of(send, self.event_id(send.number), self.group.now_ms)
        self.group.produce(event, TopicPartition(topic, send.partition), hole=send.hole)

    def produce_refused(self, happening: ProduceRefused) -> None:
        source = TopicPartition("engagement.events", happening.partition)
        value = GARBAGE
        if happening.number is not None:
            invalid = EngagementEvent(
                event_id=self.event_id(happening.number), occurred_at=EPOCH, persona_id="ada", kind="view", count=-1
            )
            value = ROWS.encode(topic_named(source.topic), invalid)
        self.group.produce_refused(value, source)

    def event_id(self, number: int | None) -> str:
        self.ids += 1
        return f"own-{self.ids}" if number is None else f"shared-{number}"

    def compare(self) -> None:
        """Compare what has been told last with the reference, when everything is processed."""
        group = self.group
        counting: dict[str, list[Logged]] = {}
        for each in reference.once(group.log, group.horizon):
            counting.setdefault(each.event.persona_id, []).append(each)
        told = {(update.persona_id, update.window): update for update in group.told()}
        assert told.keys() == {(persona, window) for persona in counting for window in WINDOWS}
        for (persona, window), update in told.items():
            assert_tells(update, counting[persona], window, group.now_ms)
        assert group.letters() == group.refused
        for surroundings in (group.fold, group.merge):
            ends = {source: log[-1].offset + 1 for source, log in surroundings.log.items() if log}
            assert surroundings.committed == ends


def assert_tells(update: KpiUpdate, log: Sequence[Logged], window: str, now_ms: int) -> None:
    told_ms = (update.window_end - EPOCH) // timedelta(milliseconds=1)
    assert told_ms <= now_ms
    assert update.occurred_at == update.window_end
    expected = reference.figures(log, window, now_ms)
    assert {name: getattr(update, name) for name in expected} == {
        name: pytest.approx(figure, rel=1e-12) if isinstance(figure, float) else figure
        for name, figure in expected.items()
    }
    if window == "lifetime":
        least, greatest = reference.late_events(log)
        assert update.window_start is None
        assert least <= update.late_events <= greatest
    else:
        assert update.window_start == EPOCH + timedelta(milliseconds=reference.bounds(window, told_ms)[0])
        assert update.late_events == 0
    if window != reference.LONGEST:
        assert update.revenue_projection_monthly_micros is None
        return
    assert update.revenue_projection_monthly_micros == reference.projection(log, told_ms, now_ms)
    if update.revenue_projection_monthly_micros != reference.projection(log, now_ms, now_ms):
        assert now_ms - told_ms < HOUR_MS  # what moves with the clock alone is told again every hour


def _error(*, away: bool) -> Exception:
    return Unavailable("broker away") if away else PowerCut()


@settings(max_examples=2 * settings().max_examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    happenings=histories(),
    targets=st.integers(1, 2),
    horizon=st.sampled_from(HORIZONS),
    max_partial_bytes=st.sampled_from([fold.MAX_PARTIAL_BYTES, 1_200]),
)
def test_what_is_told_last_is_what_a_naive_count_of_the_log_gives(
    happenings: list[Happening], targets: int, horizon: int, max_partial_bytes: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fold, "MAX_PARTIAL_BYTES", max_partial_bytes)
        asyncio.run(History(targets, horizon).live(happenings))


VIEW = Send(Engagement("ada", "view", 100))
SALE = Send(Revenue("ada", "sale", 30_000_000), Age(5 * DAY_MS))
HISTORIES: dict[str, list[Happening]] = {
    "counts_when_the_first_event_of_a_checkpoint_moves_a_later_counter_than_the_last": [
        Produce([Send(Revenue("ada", "subscription_started", 7)), SALE, Send(Cost("ada", None)), Send(Cost("ada", 9))]),
    ],
    "counts_an_event_that_repeats_the_id_of_a_refused_one": [
        ProduceRefused(number=1), Deliver(1, due=True), Crash(0, store_lost=False), Produce([replace(VIEW, number=1)]),
    ],
    "tells_the_projection_again_while_days_go_by": [
        Produce([SALE]), Settle(1), SetClock(2 * HOUR_MS), Settle(1), SetClock(40 * DAY_MS), Settle(1),
    ],
    "shows_an_event_of_the_future_once_its_time_has_come": [
        Produce([replace(VIEW, age=Age(-2 * HOUR_MS))]), Settle(1), SetClock(2 * HOUR_MS), Settle(1),
    ],
    "counts_once_what_some_merge_partitions_have_and_others_have_not": [
        Produce([VIEW, Send(Engagement("ü", "view", 1)), VIEW]), Deliver(2, due=False),
        MeetTear("fold", "outputs", 0, away=False), Checkpoint("fold"), Deliver(3, due=False), Checkpoint("fold"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("happenings", HISTORIES.values(), ids=HISTORIES.keys())
async def test_the_group(happenings: list[Happening]) -> None:
    await History(targets=2, horizon=1_000_000).live(happenings)


@pytest.mark.parametrize(("horizon", "views"), [(0, 700), (1, 600), (2, 400), (3, 200), (1_000_000, 100)])
async def test_an_id_counts_again_beyond_the_horizon_of_its_last_place(horizon: int, views: int) -> None:
    history = History(targets=1, horizon=horizon)
    same = replace(VIEW, number=1)
    gaps = [replace(same, hole=hole) for hole in (0, 0, 1, 1, 2, 2, 3)]  # 1, 2, 2, 3, 3 and 4 offsets apart
    await history.live([Produce(gaps[:3]), Deliver(2, due=True), Crash(0, store_lost=True), Produce(gaps[3:])])
    assert {update.views for update in history.group.told()[-5:]} == {views}
