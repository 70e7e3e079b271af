"""Histories: what producers, workers, broker and clock may do, as values that Hypothesis draws and shrinks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from hypothesis import strategies as st

from tests.support.kpis.kpi_group import SOURCES, STAGES, Append, StageName
from tests.support.kpis.kpi_reference import DAY_MS, HOUR_MS, MINUTE_MS
from tests.support.kpis.kpi_sends import Send, numbers, sends
from tests.support.loop_in_memory import Moment, Operation

HORIZONS = (0, 1, 3, 10, 1_000_000)


@dataclass(frozen=True, slots=True)
class Produce:
    sends: Sequence[Send]


@dataclass(frozen=True, slots=True)
class ProduceRefused:
    """A record that is refused: bytes that are no event, or an event against the rules, with an id others may have."""

    partition: int = 0
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Deliver:
    """Slices of `most` records of all partitions, each but once; `due`: the next brings a checkpoint."""

    most: int
    due: bool


@dataclass(frozen=True, slots=True)
class DeliverOne:
    partition: int
    most: int
    due: bool


@dataclass(frozen=True, slots=True)
class Checkpoint:
    stage: StageName


@dataclass(frozen=True, slots=True)
class Meet:
    """A fault before or after an operation: the broker is away for a while, or the worker dies."""

    stage: StageName
    operation: Operation
    moment: Moment
    away: bool


@dataclass(frozen=True, slots=True)
class MeetTear:
    """A fault in the middle of an append."""

    stage: StageName
    operation: Append
    arriving: tuple[int, int]
    away: bool


@dataclass(frozen=True, slots=True)
class Crash:
    slot: int
    store_lost: bool


@dataclass(frozen=True, slots=True)
class Rebalance:
    """Bit n of `owners` is the slot of partition n; a worker that is asleep is not asked."""

    owners: int
    asleep: int | None


@dataclass(frozen=True, slots=True)
class SetClock:
    """The clock goes on by `by_ms` (back if negative), and then to the start of the next pane, less `before_ms`."""

    by_ms: int
    pane_ms: int = 1
    before_ms: int = 0

    def at(self, now_ms: int) -> int:
        return -(-(now_ms + self.by_ms) // self.pane_ms) * self.pane_ms - self.before_ms


@dataclass(frozen=True, slots=True)
class Settle:
    """All is processed, and what has been told is compared with the reference."""

    most: int


Happening = (
    Produce
    | ProduceRefused
    | Deliver
    | DeliverOne
    | Checkpoint
    | Meet
    | MeetTear
    | Crash
    | Rebalance
    | SetClock
    | Settle
)


def clock_settings() -> st.SearchStrategy[SetClock]:
    """Return steps from minutes to months, some back, some to within a millisecond of a pane's edge."""
    steps = st.sampled_from(
        [0, 1, 20_000, MINUTE_MS, 10 * MINUTE_MS, 59 * MINUTE_MS, HOUR_MS, 23 * HOUR_MS, DAY_MS, 6 * DAY_MS, 7 * DAY_MS,
         23 * DAY_MS, 30 * DAY_MS, 45 * DAY_MS, -1, -MINUTE_MS, -HOUR_MS, -2 * DAY_MS]
    )  # fmt: skip
    return st.builds(SetClock, steps, st.sampled_from([1, MINUTE_MS, HOUR_MS]), st.sampled_from([0, 0, 1]))


def faults() -> st.SearchStrategy[Meet | MeetTear]:
    stages, appends = st.sampled_from(STAGES), st.sampled_from(get_args(Append))
    moments: st.SearchStrategy[Moment] = st.sampled_from(["before", "after"])
    arriving = st.tuples(st.sampled_from([0, 1, 2, 9]), st.sampled_from([0, 1, 2, 9]))
    return st.one_of(
        st.builds(Meet, stages, appends, moments, st.booleans()),
        st.builds(Meet, stages, st.sampled_from(get_args(Operation)), moments, st.just(value=False)),
        st.builds(MeetTear, stages, appends, arriving, st.booleans()),
    )


def struck_checkpoints() -> st.SearchStrategy[list[Happening]]:
    """Return a fault that is met at once: by a checkpoint of its stage, with something to write."""
    return st.builds(
        lambda sent, fault, most: [Produce(sent), Deliver(most, due=False), fault, Checkpoint(fault.stage)],
        sends(),
        faults(),
        st.integers(1, 4),
    )


def histories() -> st.SearchStrategy[list[Happening]]:
    partitions, slots, stages = st.integers(0, len(SOURCES) - 1), st.integers(0, 1), st.sampled_from(STAGES)
    happening = st.one_of(
        st.builds(Produce, sends()),
        st.builds(Produce, sends()),
        st.builds(ProduceRefused, st.integers(0, 1), numbers()),
        st.builds(Deliver, st.integers(1, 6), st.booleans()),
        st.builds(Deliver, st.integers(1, 6), st.booleans()),
        st.builds(DeliverOne, partitions, st.integers(1, 6), st.booleans()),
        st.builds(Checkpoint, stages),
        st.builds(Checkpoint, stages),
        faults(),
        st.builds(Crash, slots, st.booleans()),
        st.builds(Rebalance, st.integers(0, 2**12 - 1), st.sampled_from([None, None, None, 0, 1])),
        clock_settings(),
        st.builds(Settle, st.integers(1, 9)),
    )
    steps = st.one_of(happening.map(lambda each: [each]), struck_checkpoints())
    long = st.lists(steps, min_size=12, max_size=40)
    either = st.lists(steps, min_size=1, max_size=12) | long | long  # the short ones are what others shrink to
    return either.map(lambda parts: [each for part in parts for each in part])
