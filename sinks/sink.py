"""Sink: the stage that keeps batches until a checkpoint and then writes them; a replay writes by it too."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from streams.engine.batch import Batch, TopicPartition
from streams.engine.stage import Effects, Part, Rejection, Screened, Stage


class KeptPart(Part[Batch]):
    """What a sink keeps of a partition until the next flush."""

    def __init__(self, screen: Callable[[Batch], Awaitable[Screened]]) -> None:
        self.kept: list[Batch] = []
        self._screen = screen

    async def add(self, batch: Batch) -> Sequence[Rejection]:
        """Keep a batch for the next flush; return the records that the store can't hold."""
        screened = await self._screen(batch)
        if screened.batch is not None:
            self.kept.append(screened.batch)
        return screened.rejections


class Sink(Stage[KeptPart]):
    """A stage whose only effect is what it writes into its own store.

    A sink is told apart by two methods. `screen` finds the records that the store would refuse, so that none of them
    can spoil a write. `write` makes batches durable, all or nothing or in any order by id, before it returns: the same
    batches may come again, with others or in another order, and must leave the same content. `write` raises
    `Unavailable` when the store is away; the batches are kept and come again.
    """

    done_by_add = True

    @abstractmethod
    async def screen(self, batch: Batch) -> Screened:
        """Split a batch into what can be written and what is refused; keep nothing of it."""

    @abstractmethod
    async def write(self, batches: Sequence[Batch]) -> None:
        """Make the batches durable.

        Raises:
            Unavailable: the store is away or too slow; nothing is lost, call again.
        """

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> KeptPart:
        del source, state
        return KeptPart(self.screen)

    async def flush(self, parts: Mapping[TopicPartition, KeptPart]) -> Mapping[TopicPartition, Effects]:
        """Write what all partitions kept, at once; forget it only when the store has it."""
        kept = [batch for part in parts.values() for batch in part.kept]
        if kept:
            await self.write(kept)
            for part in parts.values():
                part.kept.clear()
        return {}
