"""The checkpointed loop: what is acknowledged is durable, what is not comes again and counts once."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from schemas.records import DeadLetter
from streams.engine import loop as loop_module
from streams.engine.batch import TopicPartition
from streams.engine.partition import SliceMissing
from streams.errors import Unavailable
from tests.support.loop_in_memory import (
    MAX_LETTER_BYTES,
    REFUSED,
    SOURCE,
    TOPIC,
    Operation,
    Surroundings,
    Worker,
    event,
    joined,
)

OTHER = TopicPartition(TOPIC.name, 1)
DEADLINE_S = 10.0


@pytest.fixture
def surroundings() -> Surroundings:
    return Surroundings()


def dead_letters(surroundings: Surroundings) -> list[DeadLetter]:
    return [output.record for output in surroundings.outputs if isinstance(output.record, DeadLetter)]


async def test_a_checkpoint_is_state_then_outputs_then_local_store_then_acknowledgement_then_commit(
    surroundings: Surroundings,
) -> None:
    worker = await joined(surroundings)
    surroundings.produce(event("ada"))
    await worker.deliver()
    surroundings.journal.clear()
    await worker.checkpoint()
    assert surroundings.journal == ["state", "outputs", "store", "ack", "commit"]
    assert surroundings.committed == {SOURCE: 1}
    assert surroundings.told() == Counter(ada=1)


@pytest.mark.parametrize("call", ["add", "flush"])
async def test_a_stage_whose_surroundings_are_away_is_asked_again_and_nothing_is_acknowledged_before(
    surroundings: Surroundings, call: str
) -> None:
    worker = await joined(surroundings)
    worker.stage.away[call] = 5
    surroundings.produce(event("ada", 3))
    work = asyncio.create_task(deliver_and_checkpoint(worker))
    async with asyncio.timeout(DEADLINE_S):
        await failures(worker, 2)
        assert "ack" not in surroundings.journal
        assert worker.loop.breaker.state != "closed"
        await work
    assert (worker.loop.breaker.state, worker.loop.breaker.failures) == ("closed", 0)
    assert surroundings.committed == {SOURCE: 1}
    assert surroundings.told() == Counter(ada=3)


@pytest.mark.parametrize("operation", ["state", "outputs"])
async def test_a_broker_that_is_away_holds_up_the_acknowledgement_and_loses_nothing(
    surroundings: Surroundings, operation: Operation
) -> None:
    worker = await joined(surroundings)
    surroundings.produce(event("ada", 3))
    surroundings.produce(event(REFUSED))
    surroundings.faults += [(operation, "before", Unavailable("broker away")) for _ in range(2)]
    await deliver_and_checkpoint(worker)
    assert surroundings.journal.index("ack") > surroundings.journal.index(operation)
    assert surroundings.committed == {SOURCE: 2}
    assert (surroundings.told(), len(dead_letters(surroundings))) == (Counter(ada=3), 1)


async def failures(worker: Worker, least: int) -> None:
    """Wait until the loop has met failures."""
    while True:
        if worker.loop.breaker.failures >= least:
            return
        await asyncio.sleep(0.001)


async def deliver_and_checkpoint(worker: Worker) -> None:
    await worker.deliver()
    await worker.checkpoint()


@pytest.mark.parametrize("operation", ["state", "outputs", "store", "ack", "commit"])
async def test_an_error_nobody_can_classify_passes_through_and_acknowledges_nothing(
    surroundings: Surroundings, operation: Operation
) -> None:
    worker = await joined(surroundings)
    surroundings.produce(event("ada"))
    surroundings.produce(event("ada", 5))
    await worker.deliver(1)
    surroundings.faults.append((operation, "before", ZeroDivisionError("a bug")))
    worker.now += 1.0
    with pytest.raises(ZeroDivisionError):
        await worker.deliver(1)
    assert surroundings.committed == {}
    again = await joined(surroundings)
    await deliver_and_checkpoint(again)
    assert surroundings.told() == again.total() == Counter(ada=6)


async def test_slices_of_an_earlier_generation_are_void(surroundings: Surroundings) -> None:
    worker = await joined(surroundings)
    surroundings.produce(event("ada"))
    stale = worker.transport.fetch(SOURCE, 10)
    assert stale is not None
    await worker.join(2, SOURCE)
    await worker.loop.receive([stale], 1)
    assert worker.changed() == set()
    await deliver_and_checkpoint(worker)
    assert surroundings.told() == Counter(ada=1)


async def test_slices_of_partitions_of_others_are_void(surroundings: Surroundings) -> None:
    worker = await joined(surroundings, SOURCE, OTHER)
    surroundings.produce(event("ada"), OTHER)
    foreign = worker.transport.fetch(OTHER, 10)
    assert foreign is not None
    await worker.join(2, SOURCE)
    await worker.loop.receive([foreign], 2)
    await worker.checkpoint()
    assert (surroundings.committed, worker.transport.in_flight_bytes) == ({}, 0)


async def test_slices_that_arrive_together_are_caught_up_for_once_however_long_that_takes(
    surroundings: Surroundings,
) -> None:
    worker = await joined(surroundings, SOURCE, OTHER)
    for source in (SOURCE, OTHER):
        surroundings.produce(event("ada"), source)
    parts = [part for source in (SOURCE, OTHER) if (part := worker.transport.fetch(source, 10))]
    worker.stage.away["catch_up"] = 2
    await worker.loop.receive(parts, 1)
    assert (len(parts), worker.stage.caught_up, worker.total()) == (2, 1, Counter(ada=2))


async def test_a_slice_that_never_came_ends_the_worker_instead_of_being_lost(surroundings: Surroundings) -> None:
    worker = await joined(surroundings)
    for number in range(3):
        surroundings.produce(event("ada", 1, f"e{number}"), hole=4)
    await worker.deliver(1)
    worker.transport.fetch(SOURCE, 1)
    with pytest.raises(SliceMissing, match="expected what follows offset 4, got a slice that follows 9"):
        await worker.deliver(1)
    assert surroundings.committed == {}


async def test_records_seen_again_after_a_seek_are_folded_once_and_their_bytes_given_back(
    surroundings: Surroundings,
) -> None:
    worker = await joined(surroundings)
    for number in range(4):
        surroundings.produce(event("ada", 1, f"e{number}"), hole=2)
    await worker.deliver(3)
    await worker.checkpoint()
    surroundings.committed.clear()  # the commit got lost
    worker.transport.seek({SOURCE})
    await worker.deliver(2)
    assert worker.transport.durable == {SOURCE: 6}  # what was durable before is acknowledged again
    await deliver_and_checkpoint(worker)
    assert surroundings.told() == worker.total() == Counter(ada=4)
    assert surroundings.committed == {SOURCE: 12}
    assert worker.transport.in_flight_bytes == 0


async def test_records_seen_again_before_their_checkpoint_are_not_acknowledged_by_it(
    surroundings: Surroundings,
) -> None:
    worker = await joined(surroundings)
    for number in range(2):
        surroundings.produce(event("ada", 1, f"e{number}"))
    await worker.deliver(2)
    worker.transport.seek({SOURCE})
    await worker.deliver(1)
    assert worker.transport.durable == {}
    await worker.checkpoint()
    assert surroundings.committed == {SOURCE: 2}


async def test_a_release_interrupts_a_long_add_and_its_slices_are_read_again(
    surroundings: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_module, "RELEASE_TIMEOUT_S", 0.05)
    worker = await joined(surroundings)
    surroundings.produce(event("ada"))
    surroundings.produce(event("ada", 7))
    await worker.deliver(1)
    worker.stage.gate.clear()
    worker.stage.waiting.clear()
    stuck = asyncio.create_task(worker.deliver(1))
    async with asyncio.timeout(DEADLINE_S):
        await worker.stage.waiting.wait()
        await worker.loop.release()
        await stuck
    worker.stage.gate.set()
    await worker.checkpoint()  # between release and assignment nothing may be acknowledged
    assert surroundings.committed == {}
    await worker.join(2, SOURCE)
    await deliver_and_checkpoint(worker)
    assert surroundings.told() == worker.total() == Counter(ada=8)


async def test_a_checkpoint_that_a_release_broke_off_is_never_acknowledged(
    surroundings: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_module, "RELEASE_TIMEOUT_S", 0.05)
    worker = await joined(surroundings)
    surroundings.produce(event("ada"))
    await worker.deliver()
    surroundings.faults += [("state", "before", Unavailable("broker away")) for _ in range(200)]
    await worker.loop.release()  # the stage has given its effects, and they did not get through
    assert worker.changed() == set()
    surroundings.faults.clear()
    for _ in range(3):
        await worker.checkpoint()
    assert (surroundings.journal.count("ack"), surroundings.committed) == (0, {})
    await worker.join(2, SOURCE)
    await deliver_and_checkpoint(worker)
    assert surroundings.told() == Counter(ada=1)


async def test_a_caller_that_is_cancelled_leaves_no_work_behind_on_the_stage(surroundings: Surroundings) -> None:
    worker = await joined(surroundings)
    surroundings.produce(event("ada"))
    worker.stage.gate.clear()
    stuck = asyncio.create_task(worker.deliver())
    async with asyncio.timeout(DEADLINE_S):
        await worker.stage.waiting.wait()
        stuck.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stuck
    worker.stage.gate.set()
    await worker.checkpoint()
    assert (worker.changed(), surroundings.committed) == (set(), {})


async def test_a_worker_that_lost_its_membership_writes_no_state_over_the_next_owners(
    surroundings: Surroundings,
) -> None:
    worker = await joined(surroundings)
    surroundings.produce(event("ada"))
    await worker.deliver()
    worker.transport.generation = 5  # the group went on without it
    async with asyncio.timeout(DEADLINE_S):
        await worker.loop.release()
    assert "state" not in surroundings.journal
    assert surroundings.outputs == []


async def test_a_checkpoint_waits_until_the_group_confirms_the_partitions(surroundings: Surroundings) -> None:
    worker = await joined(surroundings)
    surroundings.produce(event("ada"))
    await worker.deliver()
    worker.transport.generation = 5
    waiting = asyncio.create_task(worker.checkpoint())
    async with asyncio.timeout(DEADLINE_S):
        await failures(worker, 1)
        assert "state" not in surroundings.journal
        worker.transport.generation = 1
        await waiting
    assert surroundings.told() == Counter(ada=1)


async def test_a_partition_kept_by_the_next_generation_keeps_its_state(surroundings: Surroundings) -> None:
    worker = await joined(surroundings)
    surroundings.produce(event("ada"))
    await deliver_and_checkpoint(worker)
    restored = len(surroundings.changelog.read_from)
    counts = worker.parts[SOURCE].counts
    await worker.join(2, SOURCE, OTHER)
    assert worker.parts[SOURCE].counts is counts
    await worker.checkpoint()
    assert len(surroundings.changelog.read_from) == restored


async def test_a_partition_that_others_may_have_had_in_between_is_restored(surroundings: Surroundings) -> None:
    worker = await joined(surroundings)
    surroundings.produce(event("ada"))
    await deliver_and_checkpoint(worker)
    other = Worker(surroundings)
    await other.join(2, SOURCE)
    surroundings.produce(event("ada", 10))
    await deliver_and_checkpoint(other)
    await worker.join(3, SOURCE)
    await worker.checkpoint()
    assert worker.total() == Counter(ada=11)


async def test_dead_letters_are_durable_before_the_acknowledgement_with_all_that_came(
    surroundings: Surroundings,
) -> None:
    worker = await joined(surroundings)
    surroundings.produce(event("ada"))
    garbage = surroundings.produce(b"\xffgarbage", hole=3)
    tombstone = surroundings.produce(None)
    refused = surroundings.produce(event(REFUSED))
    surroundings.produce(event("ada", 2))
    await worker.deliver()
    assert surroundings.outputs == []
    await worker.checkpoint()
    letters = {letter.source_offset: letter for letter in dead_letters(surroundings)}
    assert surroundings.journal.index("outputs") < surroundings.journal.index("ack")
    assert sorted(letters) == [garbage.offset, tombstone.offset, refused.offset]
    assert [letters[each.offset].value for each in (garbage, tombstone, refused)] == [
        b"\xffgarbage",
        None,
        event(REFUSED),
    ]
    for letter in letters.values():
        assert (letter.consumer, letter.source_topic, letter.source_partition) == ("test", TOPIC.name, 0)
        assert (letter.key, [(each.name, each.value) for each in letter.headers]) == (
            b"key",
            [("trace", b"1"), ("empty", None)],
        )
        assert letter.error_class == "RecordFault"
    assert letters[refused.offset].reason == "the stage takes no events of nobody"
    assert surroundings.told() == Counter(ada=3)
    assert surroundings.committed == {SOURCE: 8}


async def test_a_record_too_large_for_its_dead_letter_is_cut_and_holds_up_nobody(surroundings: Surroundings) -> None:
    worker = await joined(surroundings)
    surroundings.produce(b"x" * 5_000)
    surroundings.produce(event("ada"))
    await deliver_and_checkpoint(worker)
    (letter,) = dead_letters(surroundings)
    kept = MAX_LETTER_BYTES - len(b"key") - len("trace1empty")
    assert letter.value == b"x" * kept
    assert f"the last {5_000 - kept:,} bytes of the record did not fit" in letter.reason
    assert surroundings.told() == Counter(ada=1)


async def test_a_record_read_again_of_which_a_letter_stands_gets_no_second_and_counts_in_nothing(
    surroundings: Surroundings,
) -> None:
    surroundings.produce(b"garbage")
    worker = await joined(surroundings)
    await deliver_and_checkpoint(worker)
    surroundings.committed.clear()  # the worker died between the letter and the commit
    surroundings.log[SOURCE][0] = replace(surroundings.log[SOURCE][0], value=event("ada"))  # it can be read by now
    worker = await joined(surroundings)
    await deliver_and_checkpoint(worker)
    assert (len(dead_letters(surroundings)), surroundings.told(), surroundings.committed) == (1, {}, {SOURCE: 1})


async def test_a_dead_letter_of_a_record_has_the_same_id_whoever_writes_it() -> None:
    ids = set()
    for _ in range(2):
        surroundings = Surroundings()
        surroundings.produce(b"garbage")
        await deliver_and_checkpoint(await joined(surroundings))
        ids |= {each.event_id for each in dead_letters(surroundings)}
    assert len(ids) == 1


@pytest.mark.parametrize("size", [1, 2, 5])
async def test_a_repeated_event_counts_once_across_restarts_and_slices(surroundings: Surroundings, size: int) -> None:
    for event_id in ("a", "b", "a", "c", "b"):
        surroundings.produce(event("ada", 1, event_id), hole=1)
    first = await joined(surroundings)
    await first.deliver(2)
    await first.checkpoint()
    second = await joined(surroundings)  # learns the ids before its first slice from the log
    while await second.deliver(size):
        await second.checkpoint()
    assert surroundings.told() == second.total() == Counter(ada=3)
