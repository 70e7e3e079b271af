"""The checkpointed loop between surroundings in memory that fail where a test says, and the stage it drives."""

from __future__ import annotations

import asyncio
import struct
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from schemas.catalogue import topic_named
from schemas.codec.columns import ColumnCodec
from schemas.codec.rows import RowCodec
from schemas.records import DeadLetter, EngagementEvent, PersonaRequest
from schemas.registries.registry import open_registry
from streams.engine.batch import ColumnBatch, Slice, TopicPartition, weigh
from streams.engine.checkpoint import CheckpointLimits
from streams.engine.dead_letters import Letters
from streams.engine.decoding import Decoder
from streams.engine.loop import CheckpointedLoop
from streams.engine.retry import Backoff
from streams.engine.stage import AnyStage, Effects, Output, OutputColumns, Part, Rejection, Stage
from streams.errors import RecordFault, Unavailable
from streams.policies import Policies
from streams.quarantine.quarantine import Quarantine
from streams.settings import Settings
from streams.state.changelogged import ChangeloggedState, Changes
from streams.state.duplicates import DuplicateFilter
from streams.state.local_store import LocalStore, MemoryStore
from streams.transport.log_lives import log_offset
from tests.support.memory_changelog import LogInMemory
from tests.support.single_outputs import single

TOPIC = topic_named("engagement.events")
SOURCE = TopicPartition(TOPIC.name, 0)
REGISTRY = open_registry(None)
ROWS = RowCodec(REGISTRY)
COLUMNS = ColumnCodec(REGISTRY)
DECODER = Decoder(REGISTRY, Settings())
AT = datetime(2026, 3, 1, tzinfo=UTC)
REFUSED = "nobody"  # a persona whose events the stage refuses
NEVER = 10**12
MAX_LETTER_BYTES = 1_000

Operation = Literal["state", "outputs", "store", "ack", "commit"]
Moment = Literal["before", "after"]
Fault = tuple[Operation, Moment, Exception]


START_MS = 1_772_323_200_000


@dataclass(frozen=True, slots=True)
class Fetched:
    """A record as a client fetches it."""

    offset: int
    value: bytes | None
    key: bytes | None = None
    timestamp: int = START_MS
    headers: Sequence[tuple[str, bytes | None]] = ()


def event(persona: str, count: int = 1, event_id: str = "") -> bytes:
    """Return the bytes of an engagement event."""
    made = EngagementEvent(
        event_id=event_id or f"{persona}-{count}",
        occurred_at=AT,
        persona_id=persona,
        post_id="post",
        kind="view",
        count=count,
    )
    return ROWS.encode(TOPIC, made)


class Surroundings:
    """What outlives a worker: logs, changelog, outputs and committed offsets; `faults` are met in order, each once."""

    def __init__(self) -> None:
        self.log: dict[TopicPartition, list[Fetched]] = defaultdict(list)
        self.changelog = LogInMemory()
        self.stores: dict[Path, LocalStore] = {}
        self.outputs: list[Output] = []
        self.committed: dict[TopicPartition, int] = {}
        self.journal: list[str] = []
        self.faults: list[Fault] = []
        self.log_ids: dict[TopicPartition, str] = {}
        self.now_ms = START_MS

    def make_again(self, source: TopicPartition, log_id: str) -> None:
        """Delete a log with its records and its commit, and begin another."""
        self.log_ids[source] = log_id
        self.now_ms += 1  # no two logs are written in the same millisecond
        self.log.pop(source, None)
        self.committed.pop(source, None)

    def produce(self, value: bytes | None, source: TopicPartition = SOURCE, *, hole: int = 0) -> Fetched:
        """Append a record behind `hole` offsets that compaction took."""
        end = self.log[source][-1].offset + 1 if self.log[source] else 0
        record = Fetched(end + hole, value, b"key", self.now_ms, headers=(("trace", b"1"), ("empty", None)))
        self.log[source].append(record)
        return record

    @contextmanager
    def operation(self, name: Operation) -> Iterator[None]:
        self._meet(name, "before")
        yield
        self.journal.append(name)
        self._meet(name, "after")

    def _meet(self, name: Operation, moment: Moment) -> None:
        if self.faults and self.faults[0][:2] == (name, moment):
            raise self.faults.pop(0)[2]

    async def append_all(self, outputs: Iterable[Output | OutputColumns]) -> None:
        with self.operation("outputs"):
            self.outputs += single(outputs)

    async def append(self, source: TopicPartition, changes: Changes) -> int:
        with self.operation("state"):
            return await self.changelog.append(source, changes)

    async def bounds(self, source: TopicPartition) -> tuple[int, int]:
        return await self.changelog.bounds(source)

    def identity(self, source: TopicPartition) -> str | None:
        return self.changelog.identity(source)

    def read(self, source: TopicPartition, start: int, end: int) -> AsyncIterator[Changes]:
        return self.changelog.read(source, start, end)

    async def read_log(self, source: TopicPartition, start: int, end: int) -> AsyncIterator[Sequence[Fetched]]:
        yield [record for record in self.log[source] if start <= record.offset < end]

    async def refused(self, source: TopicPartition, since_ms: int) -> set[tuple[int, int]]:
        """Return offset and time of records of which dead letters stand."""
        del since_ms  # all letters
        letters = [each.record for each in self.outputs if isinstance(each.record, DeadLetter)]
        return {
            (each.source_offset, round(each.source_timestamp.timestamp() * 1000))
            for each in letters
            if (each.source_topic, each.source_partition) == source
        }

    def open_store(self, folder: Path) -> LocalStore:
        return self.stores.setdefault(folder, _KeptStore(self))

    def lose_stores(self, slot: str) -> None:
        """Forget the local stores of a worker's slot."""
        self.stores = {folder: store for folder, store in self.stores.items() if folder.parts[0] != slot}

    def told(self) -> Counter[str]:
        """Return the counts last told of each persona, summed over partitions."""
        newest: dict[tuple[str, str], tuple[int, int]] = {}
        for output in self.outputs:
            if isinstance(output.record, PersonaRequest):
                stamp, count = (int(part) for part in output.record.brief.split())
                key = (output.record.persona_id, output.record.event_id)
                newest[key] = max(newest.get(key, (-1, 0)), (stamp, count))
        total: Counter[str] = Counter()
        for (persona, _), (_, count) in newest.items():
            total[persona] += count
        return total


class _KeptStore(MemoryStore):
    """A local store that is there again after a crash, as a folder is."""

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__()
        self._surroundings = surroundings

    def apply(self, changes: Iterable[tuple[bytes, bytes | None]], position: int) -> None:
        with self._surroundings.operation("store"):
            super().apply(changes, position)

    def close(self) -> None:
        pass


class CountingPart(Part[ColumnBatch]):
    """Counts of a partition by persona; stamps keep replayed events from counting twice."""

    def __init__(self, stage: CountingStage, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> None:
        pairs = ((key.decode(), struct.unpack("<qq", value)) for key, value in state)
        self.counts: dict[str, tuple[int, int]] = {persona: (stamp, count) for persona, (stamp, count) in pairs}
        self.changed: set[str] = set()
        self._stage = stage
        self._source = source

    async def add(self, batch: ColumnBatch) -> Sequence[Rejection]:
        self._stage.meet("add")
        self._stage.waiting.set()
        await self._stage.gate.wait()
        refused = []
        for persona, offset, count in batch.frame.select("persona_id", "offset", "count").iter_rows():
            if persona == REFUSED:
                refused.append(Rejection(offset, RecordFault("the stage takes no events of nobody")))
            else:
                self._count(persona, offset, count)
        return refused

    def _count(self, persona: str, offset: int, count: int) -> None:
        stamp, before = self.counts.get(persona, (-1, 0))
        if offset > stamp:
            self.counts[persona] = (offset, before + count)
        self.changed.add(persona)

    def flush(self) -> Effects:
        effects = Effects()
        for persona in sorted(self.changed):
            stamp, count = self.counts[persona]
            effects.changes.append((persona.encode(), struct.pack("<qq", stamp, count)))
            told = PersonaRequest(
                event_id=str(self._source.partition), occurred_at=AT, persona_id=persona, brief=f"{stamp} {count}"
            )
            effects.outputs.append(Output("persona.requests", told))
        self.changed.clear()
        return effects


class CountingStage(Stage[CountingPart]):
    """Count events by persona, and tell every count that changed."""

    name = "counting"
    topics = (TOPIC.name,)
    stateful = True
    once_per_event = True
    done_by_add = True

    def __init__(self) -> None:
        self.caught_up = 0
        self.away: Counter[str] = Counter()  # how often a call still finds its surroundings away
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = asyncio.Event()

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> CountingPart:
        return CountingPart(self, source, state)

    async def catch_up(self) -> None:
        self.meet("catch_up")
        self.caught_up += 1

    async def flush(self, parts: Mapping[TopicPartition, CountingPart]) -> Mapping[TopicPartition, Effects]:
        self.meet("flush")
        return await super().flush(parts)

    def meet(self, call: str) -> None:
        if self.away[call]:
            self.away[call] -= 1
            raise Unavailable(f"{call} finds its surroundings away")


@dataclass
class Transport:
    """The transport's side: what is in flight, acknowledged and committed, and the fetch positions."""

    surroundings: Surroundings
    generation: int = -1
    in_flight_bytes: int = 0
    durable: dict[TopicPartition, int] = field(default_factory=dict)
    position: dict[TopicPartition, int] = field(default_factory=dict)
    after: dict[TopicPartition, int] = field(default_factory=dict)
    held: set[TopicPartition] = field(default_factory=set)

    def behind(self, part: Slice) -> int:
        log = self.surroundings.log[part.source]
        return max(log[-1].offset - log_offset(part.last_offset), 0) if log else 0

    def acknowledge(self, part: Slice) -> None:
        with self.surroundings.operation("ack"):
            self.durable[part.source] = max(log_offset(part.last_offset) + 1, self.durable.get(part.source, 0))
        self.discard(part)

    def discard(self, part: Slice) -> None:
        self.in_flight_bytes -= part.size_bytes

    async def commit(self) -> None:
        with self.surroundings.operation("commit"):
            self.surroundings.committed.update(self.durable)

    async def is_member(self, generation: int, max_age_s: float = 0.0) -> bool:
        del max_age_s  # always asked anew
        return generation == self.generation

    def hold(self, source: TopicPartition) -> None:
        self.held.add(source)

    async def read_again(self, source: TopicPartition) -> bool:
        self.held.discard(source)
        self.after.pop(source, None)
        self.position[source] = self.surroundings.committed.get(source, 0)
        return True

    def seek(self, owned: set[TopicPartition]) -> None:
        """Go back to the committed offsets, as the transport does at a rebalance."""
        self.durable.clear()
        self.after.clear()
        self.held.clear()
        self.position = {source: self.surroundings.committed.get(source, 0) for source in owned}

    def fetch(self, source: TopicPartition, most: int) -> Slice | None:
        """Return the next slice of a partition, None at its end."""
        log = [] if source in self.held else self.surroundings.log[source]
        records = [record for record in log if record.offset >= self.position[source]][:most]
        if not records:
            return None
        part = Slice(source, records, self.after.get(source), weigh(records))
        self.after[source] = records[-1].offset
        self.position[source] = records[-1].offset + 1
        self.in_flight_bytes += part.size_bytes
        return part


class StageWorker:
    """One life of a worker that runs a stage: a loop with a clock that stands still between checkpoints."""

    def __init__(
        self,
        surroundings: Surroundings,
        stage: AnyStage,
        slot: str = "0",
        horizon: int = 1_000,
        quarantine: Quarantine | None = None,
        *,
        policies: str = "park",
    ) -> None:
        self.transport = Transport(surroundings)
        self.now = 0.0

        def duplicates(source: TopicPartition) -> DuplicateFilter:
            return DuplicateFilter(source, horizon, COLUMNS, surroundings.read_log)

        self.loop = CheckpointedLoop(
            stage=stage,
            decoder=DECODER,
            duplicates=duplicates if stage.once_per_event else None,
            state=ChangeloggedState(surroundings, Path(slot), surroundings.open_store, surroundings.log_ids.get),
            appender=surroundings,
            acknowledger=self.transport,
            limits=CheckpointLimits(1.0, 1.0, 1.0, NEVER, NEVER),
            quarantine=quarantine or Quarantine(),
            letters=Letters("test", MAX_LETTER_BYTES, Policies(policies), lambda: self.now),
            refused=surroundings.refused,
            monotonic=lambda: self.now,
        )
        self.loop.breaker._backoff = Backoff(first_s=0.002, max_s=0.01)

    async def join(self, generation: int, *owned: TopicPartition) -> None:
        """Go through a rebalance."""
        await self.loop.release()
        self.transport.generation = generation
        await self.loop.assign(set(owned), generation)
        self.transport.seek(set(owned))
        self.loop._clock.finished(self.now, self.now)

    async def deliver(self, most: int = 10, source: TopicPartition = SOURCE) -> bool:
        """Hand over the next slice; tell whether there was one."""
        part = self.transport.fetch(source, most)
        if part is None:
            return False
        await self.loop.receive([part], self.transport.generation)
        return True

    async def checkpoint(self) -> None:
        self.now += 1.0
        await self.loop.tick()


class Worker(StageWorker):
    """A worker that counts."""

    def __init__(
        self, surroundings: Surroundings, slot: str = "0", horizon: int = 1_000, policies: str = "park"
    ) -> None:
        self.stage = CountingStage()
        super().__init__(surroundings, self.stage, slot, horizon, policies=policies)

    @property
    def parts(self) -> dict[TopicPartition, CountingPart]:
        """The partitions held."""
        found: dict[TopicPartition, CountingPart] = self.loop._partitions.parts
        return found

    def changed(self) -> set[tuple[TopicPartition, str]]:
        """Return whose counts were not told yet."""
        return {(source, persona) for source, part in self.parts.items() for persona in part.changed}

    def total(self) -> Counter[str]:
        """Return the counts of the partitions held."""
        total: Counter[str] = Counter()
        for part in self.parts.values():
            total.update({persona: count for persona, (_, count) in part.counts.items()})
        return total


async def joined(surroundings: Surroundings, *owned: TopicPartition, policies: str = "park") -> Worker:
    """Return a worker that has partitions, SOURCE unless others are named."""
    worker = Worker(surroundings, policies=policies)
    await worker.join(1, *(owned or (SOURCE,)))
    return worker
