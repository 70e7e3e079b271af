"""Stops: partitions that do not go past a record that can't be processed, as the policy of their topic has it.

Nothing of such a partition is taken or fetched. It is tried again after a back-off, from its last commit on: with a new
schema in the registry, or once somebody has let the record pass, it goes on. The others of the stage are not touched.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from streams.engine.batch import Slice, TopicPartition
from streams.engine.dead_letters import Letters
from streams.engine.readings import Reading
from streams.engine.retry import Backoff
from streams.engine.stage import Effects, Rejection
from streams.errors import RecordFault
from streams.metrics import WORKER_STOPPED
from streams.transport.log_lives import log_offset

logger = logging.getLogger(__name__)

BACKOFF = Backoff(first_s=2.0, max_s=60.0)
REASON_CHARS = 200  # of what stands in a metric's label


class Rereading(Protocol):
    """The transport's side of a stop."""

    def hold(self, source: TopicPartition) -> None:
        """Fetch nothing more of a partition."""

    async def read_again(self, source: TopicPartition) -> bool:
        """Go back to a partition's last commit, and fetch on from there; the first slice then follows nothing.

        Returns whether it did: not where the broker does not tell of the commit.
        """


@dataclass(slots=True)
class Stop:
    """A partition that stands before a record; `offset` is the one that the stage sees.

    While it waits nothing is taken. Once it is read again, slices fetched before that (which follow others) are void
    until the first that follows nothing.
    """

    source: TopicPartition
    offset: int
    consumer: str
    reason: str = ""
    failures: int = 0
    retry_at: float = 0.0
    waits: bool = True
    is_reread: bool = False

    @property
    def text(self) -> str:
        """Return in one line where it stands, why, and what to do."""
        topic, partition, offset = *self.source, log_offset(self.offset)
        return (
            f"{topic}/{partition} stopped at offset {offset}: {self.reason}; mend that, it is tried again by itself, "
            f"or let it pass: threads-agent dead-letters pass {topic} --partition {partition} --offset {offset} "
            f"--consumer {self.consumer} --because '...'"
        )


class Stops:
    """The partitions of a loop that stand still; `has` tells whether the policy of a topic is to stop."""

    def __init__(self, letters: Letters, transport: Rereading, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.has = letters.stops_at
        self._consumer = letters.consumer
        self._transport = transport
        self._monotonic = monotonic
        self._stops: dict[TopicPartition, Stop] = {}

    def __iter__(self) -> Iterator[Stop]:
        """Go through the stops."""
        return iter(self._stops.values())

    def waits(self, source: TopicPartition) -> bool:
        """Tell whether nothing of a partition is taken now."""
        stop = self._stops.get(source)
        return stop is not None and stop.waits

    def is_at(self, piece: Slice) -> bool:
        """Tell whether a slice is the record that its partition stands at."""
        stop = self._stops.get(piece.source)
        return stop is not None and piece.first_offset == stop.offset

    def is_void(self, piece: Slice) -> bool:
        """Tell whether a slice is not to be taken: its partition stands still, or it was fetched before it did."""
        stop = self._stops.get(piece.source)
        if stop is None:
            return False
        if stop.is_reread and piece.after is None:
            stop.is_reread = False
        return stop.waits or stop.is_reread

    def cut(self, piece: Slice) -> Iterable[Slice]:
        """Return a slice in parts: what is before the record that its partition stands at, that alone, and the rest."""
        stop = self._stops.get(piece.source)
        if stop is None:
            return (piece,)
        before, rest = piece.split(stop.offset)
        alone, behind = (None, None) if rest is None else rest.split(stop.offset + 1)
        return [each for each in (before, alone, behind) if each is not None]

    def stop(self, source: TopicPartition, offset: int, fault: RecordFault) -> None:
        """Stand still before a record."""
        stop = self._stops.get(source)
        if stop is None or stop.offset != offset:
            stop = self._stops[source] = Stop(source, offset, self._consumer)
        is_news, stop.reason = stop.reason != str(fault), str(fault)
        stop.failures += 1
        stop.retry_at = self._monotonic() + BACKOFF.delay_s(stop.failures, None, 1.0)
        stop.waits, stop.is_reread = True, False
        self._transport.hold(source)
        if is_news:
            logger.error("%.2000s", stop.text)

    def late(self, effects: Mapping[TopicPartition, Effects]) -> dict[TopicPartition, Rejection]:
        """Return the first records that a flush refused, of the partitions that are to stop before them."""
        refused = {source: each.rejections for source, each in effects.items() if self.has(source.topic)}
        return {source: first_of(each) for source, each in refused.items() if each}

    def due(self) -> list[Stop]:
        """Return the stops that are to be tried again now, also those of which nothing came since the last time."""
        now = self._monotonic()
        return [each for each in self._stops.values() if (each.waits or each.is_reread) and now >= each.retry_at]

    async def try_again(self, stop: Stop) -> None:
        """Read a partition again from its last commit; what comes of it is folded, or stops it anew."""
        is_held = stop.waits
        stop.retry_at = self._monotonic() + BACKOFF.delay_s(max(stop.failures, 1), None, 1.0)
        if not is_held:  # what was read again got lost on the way: nothing may be under way when it is read once more
            stop.waits = True
            self._transport.hold(stop.source)
        elif await self._transport.read_again(stop.source):
            stop.waits, stop.is_reread = False, True

    def durable(self, done: Iterable[Slice]) -> None:
        """Note a checkpoint: a partition that is behind its record goes on."""
        for piece in done:
            stop = self._stops.get(piece.source)
            if stop is not None and piece.last_offset >= stop.offset:
                del self._stops[piece.source]
                logger.warning("%s/%d goes on behind offset %d", *piece.source, log_offset(stop.offset))

    def forget(self, sources: Iterable[TopicPartition] | None = None) -> None:
        """Forget partitions (None: all), which are read from their last commit by whoever has them then."""
        for source in list(self._stops) if sources is None else sources:
            self._stops.pop(source, None)

    def readings(self, stage: str) -> Iterator[Reading]:
        """Yield where partitions stand."""
        for each in self._stops.values():
            labels = (stage, each.source.topic, str(each.source.partition), each.reason[:REASON_CHARS])
            yield Reading(WORKER_STOPPED, labels, log_offset(each.offset))


def first_of(refused: Iterable[Rejection]) -> Rejection:
    """Return the refusal that comes first in the log."""
    return min(refused, key=lambda each: each.offset)
