"""The policies of topics: a partition stops before what can't be processed, or it is dropped; nothing is lost by it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from schemas.records import DeadLetter
from streams.engine.batch import ColumnBatch, TopicPartition
from streams.engine.dead_letters import dead_letter
from streams.engine.health import health_of
from streams.engine.readings import Reading
from streams.engine.stage import Effects, Rejection
from streams.errors import RecordFault
from streams.metrics import DROPPED_RECORDS, WORKER_STOPPED
from streams.policies import Policies
from tests.support.loop_in_memory import (
    AT,
    REFUSED,
    SOURCE,
    TOPIC,
    CountingPart,
    CountingStage,
    StageWorker,
    Surroundings,
    Worker,
    event,
    joined,
)

OTHER = TopicPartition(TOPIC.name, 1)
GARBAGE = b"no event"
STOP, DROP = f"{TOPIC.name}=stop", f"{TOPIC.name}=drop"


@pytest.fixture
def surroundings() -> Surroundings:
    return Surroundings()


async def work(worker: Worker, times: int = 4) -> None:
    for _ in range(times):
        for source in (SOURCE, OTHER):
            await worker.deliver(3, source)
        await worker.checkpoint()


def letters(surroundings: Surroundings) -> int:
    return sum(isinstance(each.record, DeadLetter) for each in surroundings.outputs)


def of_metric(worker: Worker, name: str) -> list[Reading]:
    return [each for each in worker.loop.readings() if each.metric.name == name]


class NothingNewer:
    def newest(self, source: TopicPartition) -> int | None:
        return 100 if source == SOURCE else None

    def is_full(self, source: TopicPartition) -> bool:
        del source
        return False


@pytest.mark.parametrize("refused", [GARBAGE, event(REFUSED)], ids=["by its schema", "by the stage"])
async def test_a_partition_stops_before_a_record_the_others_go_on_and_it_goes_on_when_that_is_mended(
    surroundings: Surroundings, refused: bytes
) -> None:
    surroundings.produce(event("ada", 1))
    surroundings.produce(event("ada", 2))
    bad = surroundings.produce(refused, hole=2)
    surroundings.produce(event("ada", 3))
    surroundings.produce(event("bob", 4), OTHER)
    worker = await joined(surroundings, SOURCE, OTHER, policies=STOP)
    await work(worker, 20)
    surroundings.produce(event("bob", 5), OTHER)
    surroundings.produce(event("ada", 6))
    await work(worker)
    assert surroundings.told() == Counter(ada=3, bob=9)
    assert surroundings.committed[OTHER] == 2
    assert surroundings.committed[SOURCE] == 2, "it is behind the last that was folded, not behind the refused one"
    assert (letters(surroundings), worker.transport.in_flight_bytes) == (0, 0)
    surroundings.log[SOURCE][2] = replace(bad, value=event("ada", 10))
    await work(worker, 70)
    assert surroundings.told() == Counter(ada=22, bob=9)
    assert surroundings.committed == {SOURCE: 7, OTHER: 2}
    assert of_metric(worker, WORKER_STOPPED.name) == []


class LatePart(CountingPart):
    """Refuses at the flush what another refuses at once."""

    def __init__(self, stage: CountingStage, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> None:
        super().__init__(stage, source, state)
        self._late: list[Rejection] = []

    async def add(self, batch: ColumnBatch) -> Sequence[Rejection]:
        self._late += await super().add(batch)
        return ()

    def flush(self) -> Effects:
        effects = super().flush()
        effects.rejections, self._late = self._late, []
        return effects


class LateStage(CountingStage):
    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> LatePart:
        return LatePart(self, source, state)


async def test_a_record_that_is_refused_late_stops_its_partition_too_and_what_is_behind_it_counts_once(
    surroundings: Surroundings,
) -> None:
    surroundings.produce(event("ada", 1))
    bad = surroundings.produce(event(REFUSED))
    surroundings.produce(event("ada", 2))
    worker = StageWorker(surroundings, LateStage(), policies=STOP)
    await worker.join(1, SOURCE)
    for _ in range(20):
        await worker.deliver(3)
        await worker.checkpoint()
    assert (surroundings.committed, letters(surroundings)) == ({SOURCE: 1}, 0)
    surroundings.log[SOURCE][1] = replace(bad, value=event("bob", 5))
    for _ in range(70):
        await worker.deliver(3)
        await worker.checkpoint()
    assert (surroundings.committed, letters(surroundings)) == ({SOURCE: 3}, 0)
    assert surroundings.told() == Counter(ada=3, bob=5)


@pytest.mark.parametrize("refused", [GARBAGE, event(REFUSED)], ids=["by its schema", "by the stage"])
async def test_a_worker_that_dies_while_it_is_stopped_stops_there_again(
    surroundings: Surroundings, refused: bytes
) -> None:
    surroundings.produce(event("ada", 1))
    surroundings.produce(refused)
    surroundings.produce(event("ada", 3))
    for _ in range(3):
        worker = await joined(surroundings, policies=STOP)
        await work(worker, 8)
        assert surroundings.told() == Counter(ada=1)
    assert surroundings.committed == {SOURCE: 1}


async def test_what_was_stopped_at_is_told_with_what_to_do_and_tried_ever_more_rarely(
    surroundings: Surroundings,
) -> None:
    surroundings.produce(GARBAGE)
    worker = await joined(surroundings, policies=STOP)
    await work(worker, 3)
    health = health_of(worker.loop.now(NothingNewer()), 1e9)
    assert (health.state, health.now.behind) == ("stopped", 0)
    where = f"{TOPIC.name}/0 stopped at offset 0: expected magic byte 0x00"
    assert where in health.reason
    assert f"threads-agent dead-letters pass {TOPIC.name} --partition 0 --offset 0" in health.reason
    (reading,) = of_metric(worker, WORKER_STOPPED.name)
    assert (reading.labels[1:3], reading.value) == ((TOPIC.name, "0"), 0)
    await work(worker, 300)
    (stop,) = worker.loop._stops
    assert 7 <= stop.failures <= 10


async def test_a_stop_goes_on_behind_a_record_that_somebody_let_pass(surroundings: Surroundings) -> None:
    bad = surroundings.produce(GARBAGE)
    surroundings.produce(event("ada", 3))
    worker = await joined(surroundings, policies=STOP)
    await work(worker)
    assert surroundings.told() == Counter()
    surroundings.outputs.append(dead_letter("test", SOURCE, bad, RecordFault("let pass"), now=AT, max_bytes=100))
    await work(worker, 10)
    assert (surroundings.told(), letters(surroundings)) == (Counter(ada=3), 1)
    assert surroundings.committed == {SOURCE: 2}


async def test_slices_fetched_before_a_stop_are_void_when_it_is_read_again(surroundings: Surroundings) -> None:
    bad = surroundings.produce(GARBAGE)
    for count in range(1, 5):
        surroundings.produce(event("ada", count))
    worker = await joined(surroundings, policies=STOP)
    first, stale = worker.transport.fetch(SOURCE, 2), worker.transport.fetch(SOURCE, 1)
    assert first is not None
    assert stale is not None
    await worker.loop.receive([first], 1)
    surroundings.log[SOURCE][0] = replace(bad, value=event("ada", 5))
    worker.now += 10
    await worker.loop.tick()
    await worker.loop.receive([stale], 1)
    await work(worker)
    assert surroundings.told() == Counter(ada=15)
    assert worker.transport.in_flight_bytes == 0


async def test_what_was_read_again_and_got_lost_on_the_way_is_read_once_more(surroundings: Surroundings) -> None:
    bad = surroundings.produce(GARBAGE)
    for count in range(1, 5):
        surroundings.produce(event("ada", count))
    worker = await joined(surroundings, policies=STOP)
    await worker.deliver(2)
    surroundings.log[SOURCE][0] = replace(bad, value=event("ada", 5))
    worker.now += 10
    await worker.loop.tick()
    lost = worker.transport.fetch(SOURCE, 2)
    assert lost is not None
    worker.transport.discard(lost)
    await work(worker)
    assert surroundings.told() == Counter(), "what follows it is no beginning"
    await work(worker, 10)
    assert (surroundings.told(), worker.transport.in_flight_bytes) == (Counter(ada=15), 0)


async def test_what_a_topic_drops_is_counted_and_logged_once_in_a_while_and_not_kept(
    surroundings: Surroundings, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(30):
        surroundings.produce(GARBAGE)
    surroundings.produce(event("ada"))
    worker = await joined(surroundings, policies=DROP)
    with caplog.at_level(logging.WARNING):
        await work(worker, 15)
    assert (surroundings.told(), letters(surroundings)) == (Counter(ada=1), 0)
    assert [each.value for each in of_metric(worker, DROPPED_RECORDS.name)] == [30]
    told = [each.getMessage() for each in caplog.records if "Dropped" in each.getMessage()]
    assert len(told) == 1
    assert "expected magic byte" in told[0]


def test_policies_are_read_by_topic_and_for_the_rest() -> None:
    read = Policies(f"drop, {TOPIC.name}=stop")
    assert [read.of(TOPIC.name), read.of("personas"), Policies().of(TOPIC.name)] == ["stop", "drop", "park"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("engagement.event=drop", "did you mean engagement.events"),
        ("personas=dorp", "did you mean drop"),
        ("stopp", "'stopp' is no policy"),
        ("personas=drop,personas=stop", "names personas twice"),
        ("=stop", "'' is no topic"),
    ],
)
def test_a_misspelt_policy_is_refused_with_what_was_meant(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Policies(text)
