"""The quarantine: the record that ends the worker is found, its neighbours count, and nothing else is set aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import DeadLetter
from streams.engine.batch import ColumnBatch, Slice, TopicPartition, weigh
from streams.engine.stage import Effects, Output, OutputColumns, Rejection
from streams.errors import Unavailable
from streams.quarantine.quarantine import (
    MOST_CAUSES,
    MOST_STARTS,
    PROOF_WAIT_S,
    SILENT_DEATHS,
    FindingsFile,
    Quarantine,
)
from streams.quarantine.suspects import STEPS, Span, Suspect, steps_of
from streams.state.changelogged import Changes
from tests.support.loop_in_memory import (
    SOURCE,
    TOPIC,
    CountingPart,
    CountingStage,
    Fetched,
    StageWorker,
    Surroundings,
    event,
)

OTHER = TopicPartition(TOPIC.name, 1)
MOST_LIVES = 400

Place = Literal["add", "flush", "state", "outputs"]
PLACES: tuple[Place, ...] = ("add", "flush", "state", "outputs")
POISON: dict[str, Place] = {f"p{number}-{place}": place for number in (1, 2) for place in PLACES}


class Trap(RuntimeError):
    """What nobody thought of."""


@dataclass
class Poison:
    """Personas whose events end the worker, and where; "*" is everybody, "" the empty checkpoint too."""

    at: dict[str, Place] = field(default_factory=dict)

    def meet(self, place: Place, personas: Sequence[str]) -> None:
        for persona in (*personas, "*"):
            if self.at.get(persona) == place and personas:
                raise Trap(f"{persona} at {place}")
        if self.at.get("") == place:
            raise Trap(f"always at {place}")


class PoisonedPart(CountingPart):
    """Counts, and ends its worker where the poison says: half of a batch is folded by then."""

    def __init__(
        self, stage: PoisonedStage, source: TopicPartition, state: Iterable[tuple[bytes, bytes]], poison: Poison
    ) -> None:
        super().__init__(stage, source, state)
        self._poison = poison

    async def add(self, batch: ColumnBatch) -> Sequence[Rejection]:
        refused = await super().add(batch)
        self._poison.meet("add", batch.frame["persona_id"].to_list())
        return refused


class PoisonedStage(CountingStage):
    """A stage of poisoned parts."""

    def __init__(self, poison: Poison) -> None:
        super().__init__()
        self.poison = poison

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> CountingPart:
        return PoisonedPart(self, source, state, self.poison)

    async def flush(self, parts: Mapping[TopicPartition, CountingPart]) -> Mapping[TopicPartition, Effects]:
        effects = await super().flush(parts)
        self.poison.meet("flush", [key.decode() for each in effects.values() for key, _ in each.changes])
        return effects


class RestlessStage(PoisonedStage):
    """A poisoned stage that has something to flush without any batch."""

    def idle_flush_due(self, parts: Collection[CountingPart]) -> bool:
        del parts
        return True


class PoisonedSurroundings(Surroundings):
    """Surroundings that take no state or output of poisoned personas."""

    def __init__(self, poison: Poison) -> None:
        super().__init__()
        self.poison = poison

    async def append(self, source: TopicPartition, changes: Changes) -> int:
        self.poison.meet("state", [key.decode() for key, _ in changes])
        return await super().append(source, changes)

    async def append_all(self, outputs: Iterable[Output | OutputColumns]) -> None:
        outputs = list(outputs)
        told = [str(getattr(output.record, "persona_id", "")) for output in outputs if isinstance(output, Output)]
        self.poison.meet("outputs", [persona for persona in told if persona])
        await super().append_all(outputs)


@dataclass
class Lives:
    """Lives of a worker, one after the other, as a process begins them: with the same quarantine."""

    surroundings: PoisonedSurroundings
    poison: Poison
    quarantine: Quarantine
    now: float = 0.0
    count: int = 0

    async def live(self, slice_records: int) -> bool:
        """Begin a life, take all there is and a checkpoint; tell whether it got to the end."""
        self.count += 1
        worker = StageWorker(self.surroundings, PoisonedStage(self.poison), quarantine=self.quarantine)
        worker.now = self.now
        sources = [source for source in (SOURCE, OTHER) if self.surroundings.log[source]]
        try:
            await worker.join(self.count, *sources)
            taken = True
            while taken:
                taken = any([await worker.deliver(slice_records, source) for source in sources])
            await worker.checkpoint()
            worker.now += PROOF_WAIT_S
            self.now = worker.now
            await worker.checkpoint()
        except Trap:
            return False
        finally:
            self.now = worker.now + 1
        return True

    async def until_the_end(self, slice_records: int = 1_000) -> None:
        while not self.quarantine.findings.is_hopeless and not await self.live(slice_records):
            assert self.count < MOST_LIVES, "it never ends"


def lives(poison: dict[str, Place], file: FindingsFile | None = None) -> Lives:
    met = Poison(poison)
    made = Lives(PoisonedSurroundings(met), met, Quarantine(file))
    made.quarantine._monotonic = lambda: made.now
    return made


def set_aside(surroundings: Surroundings) -> list[tuple[int, int, str]]:
    """Return partition, offset and error class of the distinct letters."""
    letters = [output.record for output in surroundings.outputs if isinstance(output.record, DeadLetter)]
    return sorted({(each.source_partition, each.source_offset, each.error_class) for each in letters})


@pytest.mark.parametrize("place", PLACES)
async def test_one_record_that_ends_the_worker_anywhere_is_dead_lettered_and_all_others_count(place: Place) -> None:
    run = lives({"poison": place})
    for number in range(1_000):
        run.surroundings.produce(event("poison" if number == 777 else f"ada-{number % 7}", 1, f"e{number}"))
    await run.until_the_end()
    assert set_aside(run.surroundings) == [(0, 777, "Trap")]
    assert run.surroundings.told().total() == 999
    assert run.surroundings.committed == {SOURCE: 1_000}
    assert run.count <= 6


async def test_its_letter_says_how_it_was_found_and_what_the_error_was() -> None:
    run = lives({"poison": "flush"})
    for persona in ("ada", "poison", "bo"):
        run.surroundings.produce(event(persona))
    await run.until_the_end()
    [letter] = [output.record for output in run.surroundings.outputs if isinstance(output.record, DeadLetter)]
    assert (letter.error_class, letter.value) == ("Trap", run.surroundings.log[SOURCE][1].value)
    assert letter.reason.startswith("ended the worker 2 times")
    assert "poison at flush" in letter.reason


@pytest.mark.parametrize("place", PLACES)
async def test_a_fault_of_the_surroundings_drops_nothing_and_ends_after_a_bounded_number_of_starts(
    place: Place,
) -> None:
    run = lives({"*": place})
    for number in range(2_000):
        run.surroundings.produce(event(f"ada-{number % 7}", 1, f"e{number}"))
    await run.until_the_end()
    assert set_aside(run.surroundings) == []
    assert run.surroundings.committed == {}
    assert run.quarantine.findings.is_hopeless
    assert "records in a row ended it" in run.quarantine.why_hopeless()
    assert run.count <= 3 * MOST_CAUSES


async def test_a_fault_that_is_there_without_any_record_ends_after_a_bounded_number_of_starts() -> None:
    run = lives({"": "flush"})
    run.surroundings.produce(event("ada"))
    while not run.quarantine.findings.is_hopeless:
        worker = StageWorker(run.surroundings, RestlessStage(run.poison), quarantine=run.quarantine)
        await worker.join(1, SOURCE)
        with pytest.raises(Trap):
            await worker.checkpoint()
        run.count += 1
    assert run.count == MOST_STARTS
    assert "no record is the cause" in run.quarantine.why_hopeless()
    assert set_aside(run.surroundings) == []


async def test_a_record_alone_in_the_log_is_set_aside_only_after_the_worker_ran_without_it() -> None:
    run = lives({"poison": "add"})
    run.surroundings.produce(event("poison"))
    assert not await run.live(10)
    assert not await run.live(10)
    worker = StageWorker(run.surroundings, PoisonedStage(run.poison), quarantine=run.quarantine)
    await worker.join(3, SOURCE)
    await worker.deliver()
    await worker.checkpoint()
    assert (set_aside(run.surroundings), run.surroundings.committed) == ([], {})
    run.now += PROOF_WAIT_S
    await worker.checkpoint()
    assert set_aside(run.surroundings) == [(0, 0, "Trap")]
    assert run.surroundings.committed == {SOURCE: 1}


async def test_a_transient_error_sets_nothing_aside() -> None:
    run = lives({"ada-3": "add"})
    for number in range(100):
        run.surroundings.produce(event(f"ada-{number}", 1, f"e{number}"))
    assert not await run.live(100)
    run.poison.at.clear()
    assert await run.live(100)
    assert set_aside(run.surroundings) == []
    assert run.surroundings.told().total() == 100
    assert run.quarantine.findings.suspects == ()


async def test_surroundings_that_are_away_are_no_end_and_put_nobody_under_suspicion() -> None:
    run = lives({})
    run.surroundings.produce(event("ada"))
    worker = StageWorker(run.surroundings, stage := PoisonedStage(run.poison), quarantine=run.quarantine)
    await worker.join(1, SOURCE)
    stage.away["add"] = 3
    await worker.deliver()
    assert run.quarantine.findings.suspects == ()


@settings(deadline=None)
@given(
    log=st.lists(
        st.tuples(
            st.booleans(), st.sampled_from(["ada", "bo", *(f"p{n}-{place}" for n in (1, 2) for place in PLACES)])
        ),
        max_size=60,
    ),
    slice_records=st.sampled_from([1, 3, 1_000]),
)
async def test_whatever_records_end_the_worker_wherever_the_others_count_and_they_alone_are_dead_letters(
    log: list[tuple[bool, str]], slice_records: int
) -> None:
    run = lives(dict(POISON))
    wanted: Counter[str] = Counter()
    bad = []
    for number, (is_other, persona) in enumerate(log):
        source = OTHER if is_other else SOURCE
        record = run.surroundings.produce(event(persona, 1, f"e{number}"), source, hole=number % 3)
        if persona in POISON:
            bad.append((source.partition, record.offset, "Trap"))
        else:
            wanted[persona] += 1
    await run.until_the_end(slice_records)
    found = set_aside(run.surroundings)
    assert set(found) <= set(bad), "a record was dropped that was not the cause"
    if not run.quarantine.findings.is_hopeless:
        assert found == sorted(bad)
        assert run.surroundings.told() == wanted


@given(
    offsets=st.sets(st.integers(0, 600), min_size=1),
    spans=st.lists(st.tuples(st.integers(0, 600), st.integers(0, 600)), max_size=3),
)
def test_steps_are_the_slice_in_order_and_a_suspect_is_cut_into_a_bounded_number(
    offsets: set[int], spans: list[tuple[int, int]]
) -> None:
    records = [Fetched(offset, b"") for offset in sorted(offsets)]
    part = Slice(SOURCE, records, None, weigh(records))
    suspects = [Suspect(Span(SOURCE, min(pair), max(pair)), 1, "E", "m") for pair in spans]
    steps = list(steps_of(part, suspects))
    assert [record for step in steps for record in step.part.records] == records
    assert sum(step.part.size_bytes for step in steps) == part.size_bytes
    assert all(
        sum(step.suspect is suspect for step in steps) <= min(STEPS + 1, suspect.span.width) for suspect in suspects
    )
    for step in steps:
        if step.suspect is not None:
            assert step.suspect.span.first <= step.part.first_offset <= step.part.last_offset <= step.suspect.span.last


class Process:
    """What a process has of a quarantine: a file that the system closes, whatever it was at."""

    def __init__(self, folder: Path) -> None:
        self._file = FindingsFile(folder / "stage.json")
        self.quarantine = Quarantine(self._file)
        self._work: list[AbstractContextManager[None]] = []

    def die(self, *, at_work_on: Slice | None = None) -> None:
        if at_work_on is not None:
            self._work.append(self.quarantine.at_work(at_work_on))
            self._work[0].__enter__()  # it never comes back
        self._file.close()


def test_a_process_that_dies_at_its_work_leaves_suspects_to_the_next_but_a_few_kills_are_nobodys_fault(
    tmp_path: Path,
) -> None:
    part = Slice(SOURCE, [Fetched(5, b""), Fetched(6, b"")], None, 0)
    lives = [Process(tmp_path)]
    for _ in range(SILENT_DEATHS):
        assert lives[-1].quarantine.findings.suspects == ()
        lives[-1].die(at_work_on=part)
        lives.append(Process(tmp_path))
    found = lives[-1].quarantine.findings.suspects
    assert [(each.span, each.is_silent) for each in found] == [(Span(SOURCE, 5, 6), True)]
    lives[-1].die()


def test_a_record_on_which_process_after_process_dies_is_the_cause_in_the_end(tmp_path: Path) -> None:
    part = Slice(SOURCE, [Fetched(5, b"")], None, 0)
    lives = [Process(tmp_path)]
    while not lives[-1].quarantine.findings.causes:
        assert len(lives) <= 2 * SILENT_DEATHS
        lives[-1].die(at_work_on=part)
        lives.append(Process(tmp_path))
    assert len(lives) - 1 >= SILENT_DEATHS + 2
    [step] = lives[-1].quarantine.steps(part)
    assert step.is_cause
    lives[-1].die()


def test_a_process_that_dies_between_calls_leaves_no_suspects(tmp_path: Path) -> None:
    part = Slice(SOURCE, [Fetched(5, b"")], None, 0)
    for _ in range(2 * SILENT_DEATHS):
        process = Process(tmp_path)
        with process.quarantine.at_work(part):
            pass
        process.quarantine.folded(part)
        process.die()
    assert process.quarantine.findings.suspects == ()


def test_deaths_while_the_surroundings_are_away_leave_no_suspects(tmp_path: Path) -> None:
    part = Slice(SOURCE, [Fetched(5, b"")], None, 0)
    for _ in range(2 * SILENT_DEATHS):
        process = Process(tmp_path)
        with pytest.raises(Unavailable), process.quarantine.at_work(part):
            raise Unavailable("away")
        process.die(at_work_on=part)  # the next try is cut off by a kill
    assert process.quarantine.findings.suspects == ()


def test_a_file_of_findings_that_was_cut_off_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "stage.json").write_bytes(b'{"suspects": [')
    process = Process(tmp_path)
    assert process.quarantine.findings.suspects == ()
    process.die(at_work_on=Slice(SOURCE, [Fetched(5, b"")], None, 0))
    after = Process(tmp_path)
    assert after.quarantine.findings.silent_deaths == 1
    after.die()
