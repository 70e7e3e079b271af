"""The spend stage: cost.events -> what each persona spent by hour, as booked on each partition -> spend.totals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from agents.spend.day_spend import DAY_MS, PartitionSpend, spend_total
from streams.engine.batch import ColumnBatch, TopicPartition
from streams.engine.stage import Effects, Output, Part, Rejection, Stage
from streams.wall_clock import utc_now


class SpendPart(Part[ColumnBatch]):
    """What was spent by the calls of a partition; days that are not kept are deleted from the state once a day."""

    def __init__(self, partition: int, spend: PartitionSpend, clock: Callable[[], datetime]) -> None:
        self._partition = partition
        self._spend = spend
        self._clock = clock
        self._swept_day = -1

    async def add(self, batch: ColumnBatch) -> Sequence[Rejection]:
        self._spend.add(batch.frame, _ms(self._clock()))
        return ()

    def flush(self) -> Effects:
        """Return the sums of the persona days that calls have changed."""
        effects, now = Effects(), self._clock()
        if self._swept_day != (today := _ms(now) // DAY_MS):
            self._swept_day = today
            effects.changes += [(key.encoded(), None) for key in self._spend.expire(_ms(now))]
        for key, spend in self._spend.take_touched():
            effects.changes.append((key.encoded(), spend.encoded()))
            effects.outputs.append(Output("spend.totals", spend_total(key, spend, self._partition, now)))
        return effects


class SpendStage(Stage[SpendPart]):
    """Sum the cost of model calls, each once, and tell the sums of a persona's day when calls have changed them.

    Reads cost.events, writes spend.totals; agents/spend/day_spend.py decides. Sums are absolute, so the newest total of
    each key is all a reader needs.
    """

    name: ClassVar[str] = "spend"
    topics: ClassVar[tuple[str, ...]] = ("cost.events",)
    stateful: ClassVar[bool] = True
    once_per_event: ClassVar[bool] = True

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> SpendPart:
        return SpendPart(source.partition, PartitionSpend(state), self._clock)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
