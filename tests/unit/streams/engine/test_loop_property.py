"""Whatever happens to the workers, in whatever order: the counts are those of the log, read once from end to end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.records import DeadLetter
from streams.engine.batch import TopicPartition
from streams.errors import Unavailable
from tests.support.loop_in_memory import REFUSED, TOPIC, Fault, Moment, Operation, Surroundings, Worker, event

PARTITIONS = (TopicPartition(TOPIC.name, 0), TopicPartition(TOPIC.name, 1))
SLOTS = ("a", "b")
GARBAGE = b"\x00\x00\x00\x00\x07 no event"


class PowerCut(Exception):
    """The end of a worker between two operations."""


@dataclass(frozen=True)
class Produce:
    partition: int
    persona: str | None  # None for bytes that are no event
    count: int
    event_id: int
    hole: int


@dataclass(frozen=True)
class Deliver:
    partition: int
    most: int


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint of every worker."""


@dataclass(frozen=True)
class Meet:
    operation: Operation
    moment: Moment
    away: bool  # the broker answers later, or the worker dies


@dataclass(frozen=True)
class Crash:
    slot: int
    store_lost: bool


@dataclass(frozen=True)
class Rebalance:
    owners: tuple[int, int]


Action = Produce | Deliver | Checkpoint | Meet | Crash | Rebalance

slots, partitions = st.integers(0, 1), st.integers(0, 1)
produces = st.builds(
    Produce,
    partitions,
    st.sampled_from(["ada", "bob", "cleo", "dora", REFUSED, None]),
    st.integers(0, 9),
    st.integers(0, 12),
    st.integers(0, 2),
)
faults = st.one_of(
    st.builds(Meet, st.sampled_from(["state", "outputs"]), st.sampled_from(["before", "after"]), st.just(value=True)),
    st.builds(
        Meet,
        st.sampled_from(["state", "outputs", "store", "ack", "commit"]),
        st.sampled_from(["before", "after"]),
        st.just(value=False),
    ),
)
actions: st.SearchStrategy[list[Action]] = st.lists(
    st.one_of(
        produces,
        produces,
        st.builds(Deliver, partitions, st.integers(1, 6)),
        st.builds(Deliver, partitions, st.integers(1, 6)),
        st.builds(Checkpoint),
        faults,
        st.builds(Crash, slots, st.booleans()),
        st.builds(Rebalance, st.tuples(slots, slots)),
    ),
    min_size=5,
    max_size=60,
)


class Group:
    """Two workers that share the partitions."""

    def __init__(self, policies: str = "park") -> None:
        self.surroundings = Surroundings()
        self.policies = policies
        self.workers = [Worker(self.surroundings, slot, policies=policies) for slot in SLOTS]
        self.owners = (0, 1)
        self.generation = 0
        self.produced: list[Produce] = []

    async def rebalance(self, owners: tuple[int, int]) -> None:
        """Give the partitions to slots; a worker that dies on the way is started again and all join anew."""
        self.owners = owners
        while True:
            self.generation += 1
            for slot in range(len(self.workers)):
                if not await self.survives(slot, self._join(slot)):
                    break
            else:
                return

    async def _join(self, slot: int) -> None:
        owned = [source for source, owner in zip(PARTITIONS, self.owners, strict=True) if owner == slot]
        await self.workers[slot].join(self.generation, *owned)

    async def survives(self, slot: int, work: Coroutine[None, None, object]) -> bool:
        try:
            await work
        except PowerCut:
            self.workers[slot] = Worker(self.surroundings, SLOTS[slot], policies=self.policies)
            return False
        return True

    async def act(self, action: Action) -> None:
        match action:
            case Produce():
                self.produce(action)
            case Deliver():
                slot, source = self.owners[action.partition], PARTITIONS[action.partition]
                await self.work(slot, self.workers[slot].deliver(action.most, source))
            case Checkpoint():
                for slot in range(len(SLOTS)):
                    await self.work(slot, self.workers[slot].checkpoint())
            case Meet():
                error = Unavailable("broker away") if action.away else PowerCut()
                fault: Fault = (action.operation, action.moment, error)
                self.surroundings.faults.append(fault)
            case Crash():
                if action.store_lost:
                    self.surroundings.lose_stores(SLOTS[action.slot])
                self.workers[action.slot] = Worker(self.surroundings, SLOTS[action.slot], policies=self.policies)
                await self.rebalance(self.owners)
            case Rebalance():
                await self.rebalance(action.owners)

    async def work(self, slot: int, work: Coroutine[None, None, object]) -> None:
        if not await self.survives(slot, work):
            await self.rebalance(self.owners)

    def produce(self, action: Produce) -> None:
        value = GARBAGE
        if action.persona is not None:
            value = event(action.persona, action.count, f"event-{action.event_id}")
        self.surroundings.produce(value, PARTITIONS[action.partition], hole=action.hole)
        self.produced.append(action)

    async def finish(self) -> None:
        """Let everything that is left be processed without further faults."""
        self.surroundings.faults.clear()
        await self.rebalance((0, 0))
        for source in PARTITIONS:
            while await self.workers[0].deliver(5, source):
                await self.workers[0].checkpoint()
        await self.workers[0].checkpoint()


def truth(produced: list[Produce]) -> tuple[Counter[str], int]:
    """Count each event once in its partition; return the counts, and how many records are dead letters."""
    counts: Counter[str] = Counter()
    dead = 0
    seen: set[tuple[int, int]] = set()
    for each in produced:
        if each.persona is None:
            dead += 1
        elif (each.partition, each.event_id) not in seen:
            seen.add((each.partition, each.event_id))
            if each.persona == REFUSED:
                dead += 1
            else:
                counts[each.persona] += each.count
    return counts, dead


async def live(script: list[Action]) -> None:
    group = Group()
    await group.rebalance(group.owners)
    for action in script:
        await group.act(action)
    await group.finish()
    counts, dead = truth(group.produced)
    surroundings = group.surroundings
    letters = {each.record.event_id for each in surroundings.outputs if isinstance(each.record, DeadLetter)}
    ends = {source: log[-1].offset + 1 for source, log in surroundings.log.items() if log}
    assert +group.workers[0].total() == +counts
    assert +surroundings.told() == +counts
    assert len(letters) == dead
    assert surroundings.committed == ends


STORE_BEHIND = [
    Produce(0, "ada", 3, 1, 0), Produce(0, None, 0, 0, 0), Deliver(0, 6), Checkpoint(),
    Produce(0, "bob", 3, 2, 0), Deliver(0, 6), Checkpoint(), Crash(0, store_lost=False),
]  # fmt: skip


@example(STORE_BEHIND)
@settings(max_examples=250, deadline=None)
@given(actions)
def test_counts_are_those_of_the_log_whatever_crashes_rebalances_and_outages_come(script: list[Action]) -> None:
    asyncio.run(live(script))


def mend(surroundings: Surroundings, produced: list[Produce]) -> list[Produce]:
    """Make every record readable that a partition may be stopped at; return what was produced then."""
    mended = []
    numbers = dict.fromkeys(PARTITIONS, 0)
    for place, each in enumerate(produced):
        source = PARTITIONS[each.partition]
        number, numbers[source] = numbers[source], numbers[source] + 1
        is_bad = each.persona in (None, REFUSED)
        mended.append(replace(each, persona="eve", event_id=1_000 + place) if is_bad else each)
        if is_bad:
            value = event("eve", each.count, f"event-{1_000 + place}")
            log = surroundings.log[source]
            log[number] = replace(log[number], value=value)
    return mended


async def live_stopping(script: list[Action]) -> None:
    group = Group(f"{TOPIC.name}=stop")
    await group.rebalance(group.owners)
    for action in script:
        await group.act(action)
    surroundings = group.surroundings
    letters = [each for each in surroundings.outputs if isinstance(each.record, DeadLetter)]
    assert letters == []
    for source, log in surroundings.log.items():
        first = next((each.offset for each in log if each.value == GARBAGE), log[-1].offset + 1 if log else 0)
        assert surroundings.committed.get(source, 0) <= first, "it is behind a record that can't be processed"
    produced = mend(surroundings, group.produced)
    surroundings.faults.clear()
    await group.rebalance((0, 0))
    for _ in range(200):
        for source in PARTITIONS:
            await group.workers[0].deliver(5, source)
        await group.workers[0].checkpoint()
    counts, _ = truth(produced)
    assert +group.workers[0].total() == +counts
    assert +surroundings.told() == +counts


@settings(max_examples=100, deadline=None)
@given(actions)
def test_partitions_that_stop_count_all_once_when_their_records_are_mended(script: list[Action]) -> None:
    asyncio.run(live_stopping(script))
