"""The spend stage: cost.events -> what each persona spent by hour, as booked on each partition -> spend.totals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from agents.spend.day_spend import DAY_MS, PartitionSpend, spend_total
from streams.engine.batch import Batch, ColumnBatch, TopicPartition
from streams.engine.stage import Effects, Output, Rejection, Stage, StateChange
from streams.wall_clock import utc_now


class SpendStage(Stage):
    """Sum the cost of model calls, each once, and tell the sums of a persona's day when calls have changed them.

    Reads cost.events, writes spend.totals; agents/spend/day_spend.py decides. Sums are absolute, so the newest total of
    each key is all a reader needs. Days that are not kept are deleted from the state once a day.
    """

    name: ClassVar[str] = "spend"
    topics: ClassVar[tuple[str, ...]] = ("cost.events",)
    stateful: ClassVar[bool] = True
    once_per_event: ClassVar[bool] = True

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock
        self._partitions: dict[TopicPartition, PartitionSpend] = {}
        self._swept_day: dict[TopicPartition, int] = {}

    async def restore(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> None:
        self._partitions[source] = PartitionSpend(state)

    async def add(self, batch: Batch) -> Sequence[Rejection]:
        assert isinstance(batch, ColumnBatch)
        self._partitions[batch.source].add(batch.frame, _ms(self._clock()))
        return ()

    async def flush(self) -> Effects:
        effects, now = Effects(), self._clock()
        for source, partition in self._partitions.items():
            if self._swept_day.get(source) != (today := _ms(now) // DAY_MS):
                self._swept_day[source] = today
                effects.state += [StateChange(source, key.encoded(), None) for key in partition.expire(_ms(now))]
            for key, spend in partition.take_touched():
                effects.state.append(StateChange(source, key.encoded(), spend.encoded()))
                effects.outputs.append(Output("spend.totals", spend_total(key, spend, source.partition, now)))
        return effects

    async def drop(self, source: TopicPartition) -> None:
        self._partitions.pop(source, None)
        self._swept_day.pop(source, None)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
