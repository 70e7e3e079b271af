"""The contract between the checkpointed loop and the work it drives: agents and sinks are stages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from schemas.codec.column_encoder import Column
from schemas.records import Record
from streams.engine.batch import Batch, TopicPartition
from streams.engine.readings import Reading
from streams.errors import RecordFault
from streams.kafka.hidden import Hidden

B_contra = TypeVar("B_contra", bound=Batch, contravariant=True)
Change = tuple[bytes, bytes | None]


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record of the batch that the stage refuses: the loop sends the original bytes to dead.letters."""

    offset: int
    fault: RecordFault


@dataclass(frozen=True, slots=True)
class Screened:
    """What of a batch can be written (None when nothing is), and the records that can't be, each with its reason."""

    batch: Batch | None
    rejections: tuple[Rejection, ...] = ()


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
    """What a checkpoint makes durable for a partition: state first, then outputs, before any offset is committed.

    `changes` are new absolute values of state keys, None deletes one. `rejections` are those of records whose work
    ended after `add` had returned; where the policy of their topic is to stop, they and what is behind them come again.
    """

    changes: list[Change] = field(default_factory=list)
    outputs: list[Output | OutputColumns] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)


class Part(ABC, Generic[B_contra]):
    """One partition of a stage's topics, from its assignment until it goes; given up, it is garbage.

    - `add` may await, and raises `Unavailable` when the surroundings fail: it is called again with the same batch, so
      it must not have folded any of it. It returns the records it refuses; any other exception ends the worker, which
      starts again from the last checkpoint.
    - `flush` returns the effects of all batches added since the last one.
    - A batch may come again after a crash or a rebalance: state is stamped with offsets, or effects are keyed by id.
    """

    @abstractmethod
    async def add(self, batch: B_contra) -> Sequence[Rejection]:
        """Fold a batch into memory; return the records that can't be processed."""

    def flush(self) -> Effects:
        """Return what has to be durable before the offsets of the added batches are committed."""
        return Effects()


class LongPart(Part[B_contra]):
    """A partition whose work goes on after `add` has returned.

    Only what lies before the oldest unfinished record is acknowledged, so commits stay in order.
    """

    @abstractmethod
    def unfinished(self) -> int | None:
        """Return the offset of the oldest record that is still worked on; None where all are done.

        Asked at once after `flush`: what lies before it must be in the effects of this flush or an earlier one.
        """

    def durable(self) -> None:
        """Go on with what waited for the last `flush`: its effects are durable, and whoever takes over finds them.

        An act that can't be taken back has its intent in those effects, and is begun here.
        """

    @abstractmethod
    async def leave(self) -> None:
        """Break off what is under way: the partition goes, or is read again from its last commit."""


P = TypeVar("P", bound=Part[Any])


class Stage(ABC, Generic[P]):
    """Work on the partitions of topics, folded into memory and made durable at checkpoints.

    The loop calls one method of a stage or its parts at a time, never two at once: `open`, then for each partition
    `take`, then `add` of the parts and `flush` in turn, and `close`. `catch_up` comes before the batches that arrived
    together, whether or not one of them is added.
    """

    name: ClassVar[str]
    topics: ClassVar[tuple[str, ...]]
    stateful: ClassVar[bool] = False  # stateful stages get a changelog per input topic, and `take` is fed from it
    once_per_event: ClassVar[bool] = False  # column batches come without events whose event_id repeats a recent one
    done_by_add: ClassVar[bool] = False  # `add` is the last to refuse or work on records: their bytes go after it

    async def open(self) -> None:
        """Connect to what the stage needs; called once, before any partition is assigned."""

    def owner_of(self, key: bytes, value: bytes) -> str | None:
        """Return the key of whose an entry of the state is, None where it is nobody's.

        What is of a hidden key is deleted before `take` is given the state. Every stateful stage says it.
        """
        raise NotImplementedError(f"the stage {self.name} keeps state and does not say whose: define `owner_of`")

    def hide(self, hidden: Hidden) -> None:
        """Learn what is hidden, once, before any partition is taken: for stages whose records are of several keys."""

    @abstractmethod
    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> P:
        """Take a partition over, with the state that its last owner made durable (empty where there is none)."""

    async def catch_up(self) -> None:
        """Learn what the batches that follow may refer to, once for all that arrived together; may be `Unavailable`."""

    async def flush(self, parts: Mapping[TopicPartition, P]) -> Mapping[TopicPartition, Effects]:
        """Return the effects of all parts since the last flush, or make them durable itself (a sink in its own store).

        Raises:
            Unavailable: the surroundings are away; nothing is lost, call again.
        """
        return {source: part.flush() for source, part in parts.items()}

    def idle_flush_due(self, parts: Collection[P]) -> bool:
        """Tell whether a flush is due although no batch came (windows slide with time)."""
        del parts
        return False

    def readings(self) -> Iterable[Reading]:
        """Return what the stage can tell of itself now; called at any time on the event loop, must not block."""
        return ()

    async def close(self) -> None:
        """Release what `open` took; no part is used any more."""


AnyStage = Stage[Any]


class LongStage(Stage[P]):
    """A stage whose work on records takes long: it bounds what is under way, and brings it to an end when asked."""

    @abstractmethod
    async def room(self) -> None:
        """Wait until the stage takes another batch; called before each, while checkpoints go on."""

    @abstractmethod
    async def drain(self, within_s: float) -> bool:
        """Begin nothing new, and bring what is under way to where it can be kept: the partitions may go.

        What is not there within `within_s` seconds is left as it is. Called before the last checkpoint, while `add`
        and `flush` may be; `resume` follows, or the end. Returns whether something came of it that has to be made
        durable, even where no batch waits for it.
        """

    @abstractmethod
    def resume(self) -> None:
        """Go on with the partitions that stayed: the rebalance that `drain` was for is over."""
