"""Life: a group that goes through happenings, and is compared with the reference whenever all is processed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from schemas.catalogue import topic_named
from schemas.records import EngagementEvent
from streams.engine.batch import TopicPartition
from streams.errors import Unavailable
from tests.support.kpis.kpi_comparison import differences
from tests.support.kpis.kpi_group import KpiGroup, PowerCut, StageName, StageSurroundings, Tear
from tests.support.kpis.kpi_histories import (
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
)
from tests.support.kpis.kpi_reference import EPOCH
from tests.support.kpis.kpi_sends import Send, event_of
from tests.support.loop_in_memory import ROWS

START_MS = 1_790_000_000_000
GARBAGE = b"\x00\x00\x00\x00\x07 no event"


class Life:
    """A group that lives through happenings, one after the other."""

    def __init__(self, targets: int, horizon: int) -> None:
        self.group = KpiGroup(targets, horizon, START_MS)
        self.newest_ms = START_MS
        self.ids = 0

    async def live(self, happenings: Sequence[Happening]) -> None:
        """Go through happenings, and then settle."""
        await self.go_through([*happenings, Settle(5)])

    async def go_through(self, happenings: Sequence[Happening]) -> None:
        await self.group.rebalance(self.group.owners)
        for each in happenings:
            await self.happen(each)

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
                assert not (found := differences(group)), found
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


def _error(*, away: bool) -> Exception:
    return Unavailable("broker away") if away else PowerCut()
