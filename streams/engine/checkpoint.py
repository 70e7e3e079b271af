"""The checkpoint: when one is due, and its effects in their order, each acknowledged before the next begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from streams.engine.batch import Slice, TopicPartition
from streams.engine.retry import CircuitBreaker
from streams.engine.stage import Effects, Output, OutputColumns
from streams.errors import Unavailable
from streams.quarantine.quarantine import Quarantine
from streams.settings import Settings
from streams.state.changelogged import Appended, ChangeloggedState

FRESH_S = 1.0  # a worker whose records are younger keeps up, although a few always wait behind the last
MEMBER_FOR_S = 0.5  # after the group confirmed it: far below the time after which it would give partitions to another


@dataclass(frozen=True, slots=True)
class CheckpointLimits:
    """Bounds between two checkpoints; times in seconds.

    The interval is `interval_s` while the worker keeps up: low latency at low load. While more waits on the broker, and
    what comes is older than `FRESH_S`, it stretches up to `max_interval_s`, so that a checkpoint that took d seconds is
    at least d / `share` after the last.
    """

    interval_s: float
    max_interval_s: float
    share: float
    max_records: int
    max_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> CheckpointLimits:
        return cls(
            settings.checkpoint_interval_s,
            settings.checkpoint_max_interval_s,
            settings.checkpoint_share,
            settings.checkpoint_max_records,
            settings.checkpoint_max_bytes,
        )


class CheckpointClock:
    """Track what was folded since the last checkpoint; times are those of one monotonic clock, in seconds."""

    def __init__(self, limits: CheckpointLimits) -> None:
        self._limits = limits
        self._finished_at = float("-inf")
        self._stretched_s = limits.interval_s
        self._behind: dict[TopicPartition, int] = {}  # of each partition's last slice since the checkpoint; 0: fresh
        self._records = 0
        self._bytes = 0

    @property
    def interval_s(self) -> float:
        """Return the interval in force."""
        return self._stretched_s if any(self._behind.values()) else self._limits.interval_s

    def folded(self, piece: Slice, behind: int, age_s: float) -> None:
        """Note a slice, how many offsets of its partition wait behind it, and how long ago its last was appended."""
        self._records += len(piece.records)
        self._bytes += piece.size_bytes
        self._behind[piece.source] = behind if age_s > FRESH_S else 0

    def due(self, now: float) -> bool:
        """Tell whether what is folded should be made durable now."""
        if self._records >= self._limits.max_records or self._bytes >= self._limits.max_bytes:
            return True
        return now - self._finished_at >= self.interval_s

    def finished(self, started_at: float, now: float) -> None:
        """Note a checkpoint's duration, and set the interval to the next."""
        wanted = (now - started_at) / self._limits.share
        self._stretched_s = min(
            max(wanted, self._limits.interval_s), max(self._limits.max_interval_s, self._limits.interval_s)
        )
        self._finished_at = now
        self._records = self._bytes = 0
        self._behind.clear()


class Acknowledger(Protocol):
    """The transport's side of a checkpoint."""

    def behind(self, piece: Slice) -> int: ...
    def acknowledge(self, piece: Slice) -> None: ...
    def discard(self, piece: Slice) -> None: ...
    async def commit(self) -> object: ...
    async def is_member(self, generation: int, max_age_s: float = 0.0) -> bool: ...
    def hold(self, source: TopicPartition) -> None: ...
    async def read_again(self, source: TopicPartition) -> bool: ...


class Appender(Protocol):
    """Appends records to topics and waits for every acknowledgement; `Unavailable` when the broker is away."""

    async def append_all(self, outputs: Iterable[Output | OutputColumns]) -> None: ...


class Durability:
    """Write state to the changelog, then outputs and dead letters to their topics, then the state to the local store.

    Each step waits out the broker; what ends the worker in one of them puts the records under suspicion.
    """

    def __init__(
        self,
        state: ChangeloggedState | None,
        appender: Appender,
        acknowledger: Acknowledger,
        quarantine: Quarantine,
        breaker: CircuitBreaker,
    ) -> None:
        self._state = state
        self._appender = appender
        self._acknowledger = acknowledger
        self._quarantine = quarantine
        self._breaker = breaker

    async def make_durable(
        self, effects: Mapping[TopicPartition, Effects], letters: Sequence[Output], generation: int
    ) -> None:
        """Return when everything is acknowledged; `generation` is the group's in which the effects came about."""
        changes = {source: each.changes for source, each in effects.items() if each.changes}
        appended: list[Appended] = []
        if changes:
            appended = await self._breaker.until_available(lambda: self._append_state(changes, generation))
        records = [*(output for each in effects.values() for output in each.outputs), *letters]
        if records:
            await self._breaker.until_available(lambda: self._append_records(records))
        if self._state is not None:
            with self._quarantine.at_work():
                self._state.store(appended)

    async def _append_state(
        self, changes: Mapping[TopicPartition, list[tuple[bytes, bytes | None]]], generation: int
    ) -> list[Appended]:
        assert self._state is not None, "a stage with state must be declared stateful"
        if not await self._acknowledger.is_member(generation, MEMBER_FOR_S):
            raise Unavailable(
                f"the group does not confirm that this worker still is a member of generation {generation}: "
                "it must not write its state over that of the partitions' next owner"
            )
        with self._quarantine.at_work():
            return await self._state.append(changes)

    async def _append_records(self, records: Sequence[Output | OutputColumns]) -> None:
        with self._quarantine.at_work():
            await self._appender.append_all(records)
