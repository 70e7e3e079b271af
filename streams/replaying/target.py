"""What records can be replayed into: agents and sinks declare their targets as entry points."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

from schemas.records import LogPosition
from streams.engine.batch import Batch, TopicPartition
from streams.engine.stage import Screened
from streams.errors import SettingsError
from streams.settings import Settings

ENTRY_POINTS = "threads.replay_targets"


class Target(Protocol):
    """What records can be replayed into: a ReplayTarget, or one that makes its own `Writing` (WritesItself)."""

    @property
    def topics(self) -> tuple[str, ...]:
        """Name the topics that it takes."""

    async def open(self) -> None: ...
    async def close(self) -> None: ...


@runtime_checkable
class ReplayTarget(Target, Protocol):
    """A store that takes batches by their ids: the same again, in any cut or order, leaves it as it is.

    A sink is one as it is. `screen` splits a batch into what the store can hold and what it refuses; `write` makes
    batches durable before it returns, and raises `Unavailable` when the store is away: the same come again.
    """

    async def screen(self, batch: Batch) -> Screened: ...
    async def write(self, batches: Sequence[Batch]) -> None: ...


@dataclass(frozen=True, slots=True)
class KnownRange:
    """Offsets of a partition, from `start` up to, not including, `end`, of which a target has all there is."""

    source: TopicPartition
    start: int
    end: int


@runtime_checkable
class Remembers(Protocol):
    """A target that knows which ranges it was given whole: they need not be read again."""

    async def known(
        self, positions: Sequence[LogPosition], topic_ids: Mapping[str, str | None]
    ) -> Sequence[KnownRange]:
        """Return ranges of what is still to be read that it has, and can prove to have; raises Unavailable."""

    async def remember(self, positions: Sequence[LogPosition], topic_ids: Mapping[str, str | None]) -> None:
        """Note that it was given everything of these positions, from their starts on; raises Unavailable."""


MakeTarget = Callable[[Settings], Target]


def target_names() -> list[str]:
    """Return the names of all installed targets, sorted."""
    return sorted(entry.name for entry in entry_points(group=ENTRY_POINTS))


def load_target(name: str) -> MakeTarget:
    """Load the target that an entry point names.

    Raises:
        SettingsError: no such target; the message lists those there are.
    """
    for entry in entry_points(group=ENTRY_POINTS, name=name):
        make: MakeTarget = entry.load()
        return make
    raise SettingsError(f"there is no target {name!r}; choose from: {', '.join(target_names())}, topic:NAME")
