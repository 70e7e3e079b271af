"""A log that is made again under a stage with stamps: all of each life counts, once, and nothing else changes."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import DeadLetter
from streams.engine.batch import Slice, TopicPartition
from streams.transport.log_lives import LIFE, in_life, log_offset
from tests.support.loop_in_memory import SOURCE, Fetched, Surroundings, Worker, event

GARBAGE = b"no event"


@dataclass(frozen=True)
class Life:
    """What is written in one life of the log, how it is read, and whether a worker is up when the next one begins."""

    personas: tuple[str, ...]
    slices: tuple[int, ...]
    crash_after: int  # slices; the stores may be lost then
    store_lost: bool
    up: bool


LIVES = st.lists(
    st.builds(
        Life,
        st.lists(st.sampled_from(["ada", "bob"]), min_size=1, max_size=9).map(tuple),
        st.lists(st.integers(1, 4), min_size=9, max_size=9).map(tuple),
        st.integers(0, 9),
        st.booleans(),
        st.booleans(),
    ),
    min_size=2,
    max_size=4,
)


class Story:
    """A worker through the lives of its log."""

    def __init__(self) -> None:
        self.surroundings = Surroundings()
        self.worker = Worker(self.surroundings)
        self.generation = 0
        self.truth: Counter[str] = Counter()

    async def live(self, number: int, life: Life) -> None:
        self.surroundings.make_again(SOURCE, f"log {number}")
        await self.worker.loop.forget({SOURCE})
        await self._join()
        self.surroundings.produce(GARBAGE)
        for place, persona in enumerate(life.personas):
            self.surroundings.produce(event(persona, 1, f"{number}-{place}"))
            self.truth[persona] += 1
        for turn, most in enumerate(life.slices):
            await self.worker.deliver(most)
            if turn == life.crash_after:
                await self._crash(store_lost=life.store_lost)
            elif turn % 2:
                await self.worker.checkpoint()
        while await self.worker.deliver():
            pass
        await self.worker.checkpoint()
        if not life.up:
            await self._crash(store_lost=life.store_lost)

    async def _join(self) -> None:
        self.generation += 1
        await self.worker.join(self.generation, SOURCE)

    async def _crash(self, *, store_lost: bool) -> None:
        if store_lost:
            self.surroundings.lose_stores("0")
        self.worker = Worker(self.surroundings)
        await self._join()


@settings(deadline=None)
@given(LIVES)
def test_every_life_counts_whole_and_once_through_crashes(lives: list[Life]) -> None:
    async def run() -> Story:
        story = Story()
        for number, life in enumerate(lives):
            await story.live(number, life)
        await story.worker.checkpoint()  # restores what a crash at the end has lost
        return story

    story = asyncio.run(run())
    assert story.worker.total() == story.truth
    letters = [each.record for each in story.surroundings.outputs if isinstance(each.record, DeadLetter)]
    assert {letter.source_offset for letter in letters} == {0}  # as it stands in the log, whatever its life
    assert len({letter.event_id for letter in letters}) == len(lives)
    assert story.surroundings.committed[SOURCE] == len(lives[-1].personas) + 1


async def test_state_of_an_earlier_version_is_marked_before_its_log_can_be_made_again() -> None:
    surroundings = Surroundings()
    old = Worker(surroundings)  # a broker, or a version, that does not tell which log it is
    await old.join(1, SOURCE)
    for number in range(3):
        surroundings.produce(event("ada", 1, f"old {number}"))
    await old.deliver()
    await old.checkpoint()
    surroundings.log_ids[SOURCE] = "log 1"
    idle = Worker(surroundings)
    await idle.join(2, SOURCE)
    await idle.checkpoint()  # restores, and has nothing to write
    surroundings.make_again(SOURCE, "log 2")
    new = Worker(surroundings)
    await new.join(3, SOURCE)
    surroundings.produce(event("ada", 1, "new"))
    await new.deliver()
    assert new.total() == {"ada": 4}


@given(st.integers(0, LIFE - 1), st.integers(0, 2**18))
def test_the_offset_in_the_log_is_found_in_every_life(offset: int, life: int) -> None:
    part = Slice(TopicPartition("topic", 0), [Fetched(offset, b"value")], None, 1)
    moved = in_life(part, life)
    assert log_offset(moved.last_offset) == offset
    assert moved.records[0].value == b"value"
    assert (moved is part) == (life == 0)
