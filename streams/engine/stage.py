"""The contract between the checkpointed loop and the work it drives: agents and sinks are stages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from schemas.column_encoder import Column
from schemas.records import Record
from streams.engine.batch import Batch, TopicPartition
from streams.engine.readings import Reading
from streams.errors import RecordFault


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record of the batch that the stage refuses: the loop sends the original bytes to dead.letters."""

    offset: int
    fault: RecordFault


class StateChange(NamedTuple):
    """A new absolute value of a state key, kept with the source partition it was folded from; None deletes it."""

    source: TopicPartition
    key: bytes
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Output:
    """A record to append to a topic of the catalogue, by its key unless `partition` is set."""

    topic: str
    record: Record
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class OutputColumns:
    """Records to append to a topic of the catalogue by their keys, as columns: many at once, without an object each.

    Timestamps are epoch milliseconds. Fields without a column have their default.
    """

    topic: str
    columns: Mapping[str, Column]


@dataclass(slots=True)
class Effects:
    """What a checkpoint makes durable: state first, then outputs, both acknowledged before any offset is committed.

    `rejections` are those of records whose work ended after `add` had returned.
    """

    state: list[StateChange] = field(default_factory=list)
    outputs: list[Output | OutputColumns] = field(default_factory=list)
    rejections: dict[TopicPartition, list[Rejection]] = field(default_factory=dict)


class Stage(ABC):
    """Work on batches, folded into memory and made durable at checkpoints.

    The loop calls one method of a stage at a time, never two at once:
    `open`, then for each partition `restore`, then `add` and `flush` in turn, at a rebalance `drop`, and `close`.
    `catch_up` comes before the batches that arrived together, whether or not one of them is added.

    - `add` may await, and raises `Unavailable` when the surroundings fail: it is called again with the same batch, so
      it must not have folded any of it. It returns the records it refuses; any other exception ends the worker, which
      starts again from the last checkpoint.
    - `flush` returns the effects of all batches added since the last flush, or makes them durable itself (a sink in
      its own database) before it returns. `Unavailable` from flush means: nothing is lost, call again.
    - A batch may come again after a crash or a rebalance: state is stamped with offsets, or effects are keyed by id.
    - A stage whose work takes long goes on with it after `add` has returned: `room` holds back the next slice,
      `unfinished` says up to where a partition is done, and `idle_flush_due` that something new can be made durable.
      Only what lies before the oldest unfinished record is acknowledged, so commits stay in order.
    """

    name: ClassVar[str]
    topics: ClassVar[tuple[str, ...]]
    stateful: ClassVar[bool] = False  # stateful stages get a changelog per input topic, and `restore` is fed from it
    once_per_event: ClassVar[bool] = False  # column batches come without events whose event_id repeats a recent one
    settled_by_add: ClassVar[bool] = False  # `add` is the last to refuse or work on records: their bytes go after it

    async def open(self) -> None:  # noqa: B027 - optional hook
        """Connect to what the stage needs; called once, before any partition is assigned."""

    async def restore(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> None:  # noqa: B027
        """Take over a partition with the state that its last owner made durable (empty where there is none)."""

    async def room(self) -> None:  # noqa: B027 - optional hook
        """Wait until the stage takes another batch; called before each, while checkpoints go on."""

    async def catch_up(self) -> None:  # noqa: B027 - optional hook
        """Learn what the batches that follow may refer to, once for all that arrived together; may be `Unavailable`."""

    @abstractmethod
    async def add(self, batch: Batch) -> Sequence[Rejection]:
        """Fold a batch into memory; return the records that can't be processed."""

    @abstractmethod
    async def flush(self) -> Effects:
        """Return what has to be durable before the offsets of the added batches are committed."""

    async def settle(self, within_s: float) -> bool:
        """Begin nothing new, and bring what is under way to where it can be kept: the partitions may go.

        What is not there within `within_s` seconds is left as it is. Called before the last checkpoint, while `add`
        and `flush` may be; `resume` follows, or the end. Returns whether something came of it that has to be made
        durable, even where no batch waits for it.
        """
        del within_s
        return False

    def resume(self) -> None:  # noqa: B027 - optional hook
        """Go on with the partitions that were not dropped: the rebalance that `settle` was for is over."""

    async def drop(self, source: TopicPartition) -> None:  # noqa: B027 - optional hook
        """Forget a partition: its state and what was folded since the last flush; another worker has it now."""

    def unfinished(self, source: TopicPartition) -> int | None:
        """Return the offset of the oldest record of a partition that is still worked on; None where all are done.

        Asked at once after `flush`: what lies before it must be in the effects of this flush or an earlier one.
        """
        del source
        return None

    def idle_flush_due(self) -> bool:
        """Tell whether a flush is due although no batch came (windows slide with time)."""
        return False

    def readings(self) -> Iterable[Reading]:
        """Return what the stage can tell of itself now; called at any time on the event loop, must not block."""
        return ()

    async def close(self) -> None:  # noqa: B027 - optional hook
        """Release what `open` took."""
