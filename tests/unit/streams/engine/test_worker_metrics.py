"""What a worker tells of itself: asked on its event loop, shown to whoever scrapes from another thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from agents.generation.metrics import GENERATION_WAITING
from agents.llm.metrics import LLM_BREAKER_STATE
from streams.engine.readings import Observations, Reading, breaker_readings
from streams.engine.worker_metrics import WorkerCollector, families
from streams.errors import Unavailable
from streams.metrics import ENGINE_METRICS, PROCESS_CPU, PROCESS_MEMORY, WORKER_BATCH, Metric
from tests.support.loop_in_memory import REFUSED, SOURCE, CountingStage, StageWorker, Surroundings, event

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
PROCESS = ("process_", "worker_build_info")  # what a scrape tells beside its loops


class TellingStage(CountingStage):
    """A stage that tells how much waits, and on which thread it was asked."""

    asked_on: threading.Thread | None = None

    def readings(self) -> Iterator[Reading]:
        self.asked_on = threading.current_thread()
        yield Reading(GENERATION_WAITING, (), 3)
        yield from breaker_readings(LLM_BREAKER_STATE, ("terra",), "half-open")


async def all_scraped(collector: WorkerCollector) -> Samples:
    found = await asyncio.to_thread(collector.collect)
    return {(sample.name, tuple(sample.labels.items())): sample.value for family in found for sample in family.samples}


async def scraped(collector: WorkerCollector) -> Samples:
    return {key: value for key, value in (await all_scraped(collector)).items() if not key[0].startswith(PROCESS)}


async def test_a_scrape_shows_the_loops_and_what_their_stages_tell_of_themselves() -> None:
    stage = TellingStage()
    worker = StageWorker(Surroundings(), stage)
    worker.now += 2.5
    collector = WorkerCollector(asyncio.get_running_loop())
    with collector.watching([worker.loop]):
        samples = await scraped(collector)
    at, topic = ("stage", stage.name), ("topic", SOURCE.topic)
    counted = {
        ("worker_partitions", (at,)): 0,
        ("worker_records_total", (at, topic)): 0,
        ("worker_rebalances_total", (at,)): 0,
        ("worker_state_changes_total", (at,)): 0,
        ("dead_letters_total", (("consumer", "test"), topic, ("reason", "refused"))): 0,
        ("dead_letters_total", (("consumer", "test"), topic, ("reason", "ended"))): 0,
        ("dropped_records_total", (("consumer", "test"), topic)): 0,
    }
    histograms = ("worker_batch_records", "worker_checkpoint_duration_seconds")
    assert {key: value for key, value in samples.items() if not key[0].startswith(histograms)} == counted | {
        ("worker_checkpoint_age_seconds", (at,)): 2.5,
        ("worker_breaker_state", (at, ("state", "closed"))): 1,
        ("worker_breaker_state", (at, ("state", "open"))): 0,
        ("worker_breaker_state", (at, ("state", "half-open"))): 0,
        ("generation_waiting", ()): 3,
        ("llm_breaker_state", (("model", "terra"), ("state", "closed"))): 0,
        ("llm_breaker_state", (("model", "terra"), ("state", "open"))): 0,
        ("llm_breaker_state", (("model", "terra"), ("state", "half-open"))): 1,
    }
    assert stage.asked_on is threading.current_thread()


async def test_records_letters_state_and_checkpoints_are_counted_once_they_are_durable() -> None:
    surroundings = Surroundings()
    for persona in ("ada", "ada", REFUSED):
        surroundings.produce(event(persona))
    worker = StageWorker(surroundings, CountingStage())
    collector = WorkerCollector(asyncio.get_running_loop())
    at, refused = ("stage", "counting"), (("consumer", "test"), ("topic", SOURCE.topic), ("reason", "refused"))
    with collector.watching([worker.loop]):
        await worker.join(1, SOURCE)
        await worker.deliver(most=3)
        folded = await scraped(collector)
        await worker.checkpoint()
        durable = await scraped(collector)
    assert folded["worker_records_total", (at, ("topic", SOURCE.topic))] == 3
    assert (folded["dead_letters_total", refused], durable["dead_letters_total", refused]) == (0, 1)
    changes = ("worker_state_changes_total", (at,))
    assert (folded[changes], durable[changes]) == (0, 1)
    assert durable["worker_checkpoint_duration_seconds_count", (at,)] == 1
    assert [durable["worker_batch_records_bucket", (at, ("le", bound))] for bound in ("1.0", "10.0", "+Inf")] == [
        0,
        1,
        1,
    ]
    assert durable["worker_batch_records_sum", (at,)] == 3
    assert durable["worker_rebalances_total", (at,)] == durable["worker_partitions", (at,)] == 1
    assert durable["worker_state_bytes", (at, ("topic", SOURCE.topic))] > 0


async def test_letters_that_come_again_after_a_rebalance_are_counted_once() -> None:
    surroundings = Surroundings()
    surroundings.produce(event(REFUSED))
    surroundings.faults = [("outputs", "before", ZeroDivisionError())]  # the checkpoint that would write the letter
    worker = StageWorker(surroundings, CountingStage())
    await worker.join(1, SOURCE)
    await worker.deliver()
    with pytest.raises(ZeroDivisionError):
        await worker.checkpoint()
    await worker.join(2, SOURCE)
    await worker.deliver()
    await worker.checkpoint()
    letters = [each for each in worker.loop.readings() if each.metric.name == "dead_letters_total"]
    assert {each.labels[-1]: each.value for each in letters} == {"refused": 1, "ended": 0}


async def test_a_process_tells_what_it_takes_and_which_version_it_is() -> None:
    samples = await all_scraped(WorkerCollector(asyncio.get_running_loop()))
    assert samples[PROCESS_CPU.name, ()] > 0
    assert samples[PROCESS_MEMORY.name, ()] > 2**20
    [labels] = [dict(labels) for name, labels in samples if name == "worker_build_info"]
    assert labels["version"]


def test_an_observation_counts_under_the_first_bound_that_it_does_not_exceed() -> None:
    observed = Observations(WORKER_BATCH)
    for value in (1, 2, 10, 20_001):
        observed.observe(value)
    reading = observed.reading("a stage")
    assert (reading.counts, reading.value) == ((1, 2, 0, 0, 0, 0, 0, 1), 20_014)


@pytest.mark.parametrize("metric", ENGINE_METRICS, ids=lambda metric: metric.name)
def test_every_kind_of_metric_is_exposed_under_its_name(metric: Metric) -> None:
    labels = tuple(f"a {label}" for label in metric.labels)
    counts = (1,) * (len(metric.buckets) + 1) if metric.type == "histogram" else ()
    [family] = families([Reading(metric, labels, 1, counts)])
    assert family.type == metric.type
    suffix = "_count" if metric.type == "histogram" else ""
    assert metric.name + suffix in {sample.name for sample in family.samples}


async def test_loops_that_stop_are_asked_no_longer() -> None:
    worker = StageWorker(Surroundings(), CountingStage())
    collector = WorkerCollector(asyncio.get_running_loop())
    with collector.watching([worker.loop]):
        assert await scraped(collector)
    assert await scraped(collector) == {}


async def test_an_event_loop_that_hangs_is_told_instead_of_old_values() -> None:
    collector = WorkerCollector(asyncio.get_running_loop(), answer_timeout_s=0.05)
    with pytest.raises(Unavailable, match=r"gave no readings within 0\.05 s"):
        collector.collect()  # on the event loop's own thread: it can't answer meanwhile


def test_a_worker_that_has_ended_is_told() -> None:
    ended = asyncio.new_event_loop()
    ended.close()
    with pytest.raises(Unavailable, match="the worker has ended"):
        WorkerCollector(ended).collect()


async def test_a_stage_that_can_not_tell_fails_the_scrape_and_not_the_worker() -> None:
    class Broken(CountingStage):
        def readings(self) -> Iterator[Reading]:
            raise ZeroDivisionError

    worker = StageWorker(Surroundings(), Broken())
    collector = WorkerCollector(asyncio.get_running_loop())
    with collector.watching([worker.loop]), pytest.raises(ZeroDivisionError):
        await scraped(collector)


def test_readings_of_several_stages_are_one_family_of_each_metric() -> None:
    readings = [
        *breaker_readings(LLM_BREAKER_STATE, ("a",), "open"),
        *breaker_readings(LLM_BREAKER_STATE, ("b",), "open"),
    ]
    [family] = families(readings)
    assert [sample.labels["model"] for sample in family.samples if sample.value] == ["a", "b"]


def test_a_reading_without_the_labels_of_its_metric_can_not_be_made() -> None:
    with pytest.raises(ValueError, match=r"llm_breaker_state has the labels \('model', 'state'\), got values \('a',\)"):
        Reading(LLM_BREAKER_STATE, ("a",), 1)


def test_a_histogram_can_not_be_told_without_its_counts() -> None:
    with pytest.raises(ValueError, match="worker_batch_records has 8 counts of observations, got 0"):
        Reading(WORKER_BATCH, ("a stage",), 1)
