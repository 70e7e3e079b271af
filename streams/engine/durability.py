"""Durability: the effects of a checkpoint in their order, each acknowledged by the broker before the next begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from streams.engine.batch import TopicPartition
from streams.engine.retry import CircuitBreaker
from streams.engine.slices import Slice
from streams.engine.stage import Effects, Output, OutputColumns
from streams.errors import Unavailable
from streams.quarantine.quarantine import Quarantine
from streams.state.changelogged import Appended, ChangeloggedState

MEMBER_FOR_S = 0.5  # after the group confirmed it: far below the time after which it would give partitions to another


class Acknowledger(Protocol):
    """The transport's side of a checkpoint."""

    def behind(self, piece: Slice) -> int: ...
    def acknowledge(self, piece: Slice) -> None: ...
    def discard(self, piece: Slice) -> None: ...
    async def commit(self) -> object: ...
    async def is_member(self, generation: int, max_age_s: float = 0.0) -> bool: ...


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
