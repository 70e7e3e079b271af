"""Sink: the stage that keeps batches until a checkpoint and then writes them into another system, keyed by id."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from streams.engine.batch import Batch, ColumnBatch, TopicPartition
from streams.engine.stage import Effects, Rejection, Stage


@dataclass(frozen=True, slots=True)
class Screened:
    """What of a batch can be written (None when nothing is), and the records that can't be, each with its reason."""

    batch: Batch | None
    rejections: tuple[Rejection, ...] = ()


class Sink(Stage):
    """A stage whose only effect is what it writes into its own store.

    A sink is told apart by two methods. `screen` finds the records that the store would refuse, so that none of them
    can spoil a write. `write` makes batches durable, all or nothing or in any order by id, before it returns: the same
    batches may come again, with others or in another order, and must leave the same content. `write` raises
    `Unavailable` when the store is away; the batches are kept and come again.
    """

    settled_by_add = True

    def __init__(self) -> None:
        self._kept: list[Batch] = []
        self.written_records = 0  # since the start; repeats count

    @abstractmethod
    async def screen(self, batch: Batch) -> Screened:
        """Split a batch into what can be written and what is refused; keep nothing of it."""

    @abstractmethod
    async def write(self, batches: Sequence[Batch]) -> None:
        """Make the batches durable.

        Raises:
            Unavailable: the store is away or too slow; nothing is lost, call again.
        """

    async def add(self, batch: Batch) -> Sequence[Rejection]:
        """Keep a batch for the next flush; return the records that the store can't hold."""
        screened = await self.screen(batch)
        if screened.batch is not None:
            self._kept.append(screened.batch)
        return screened.rejections

    async def flush(self) -> Effects:
        """Write what was kept; forget it only when the store has it."""
        if self._kept:
            await self.write(self._kept)
            self.written_records += sum(record_count(batch) for batch in self._kept)
            self._kept.clear()
        return Effects()

    async def drop(self, source: TopicPartition) -> None:
        """Forget what was kept of a partition: its next owner reads it again."""
        self._kept = [batch for batch in self._kept if batch.source != source]


def record_count(batch: Batch) -> int:
    """Return the number of records of a batch."""
    return len(batch.frame) if isinstance(batch, ColumnBatch) else len(batch.rows)
