"""What a worker tells of itself: asked on its event loop, shown to whoever scrapes from another thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from agents.generation.metrics import GENERATION_WAITING
from agents.llm.metrics import LLM_BREAKER_STATE
from streams.engine.readings import Reading, breaker_readings
from streams.engine.worker_metrics import WorkerCollector, gauge_families
from streams.errors import Unavailable
from tests.support.loop_in_memory import CountingStage, StageWorker, Surroundings

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class TellingStage(CountingStage):
    """A stage that tells how much waits, and on which thread it was asked."""

    asked_on: threading.Thread | None = None

    def readings(self) -> Iterator[Reading]:
        self.asked_on = threading.current_thread()
        yield Reading(GENERATION_WAITING, (), 3)
        yield from breaker_readings(LLM_BREAKER_STATE, ("terra",), "half-open")


async def scraped(collector: WorkerCollector) -> Samples:
    families = await asyncio.to_thread(collector.collect)
    return {
        (sample.name, tuple(sample.labels.items())): sample.value for family in families for sample in family.samples
    }


async def test_a_scrape_shows_the_loops_and_what_their_stages_tell_of_themselves() -> None:
    stage = TellingStage()
    worker = StageWorker(Surroundings(), stage)
    collector = WorkerCollector(asyncio.get_running_loop(), lambda: worker.now + 2.5)
    with collector.watching([worker.loop]):
        samples = await scraped(collector)
    at = ("stage", stage.name)
    assert samples == {
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
    [family] = gauge_families(readings)
    assert [sample.labels["model"] for sample in family.samples if sample.value] == ["a", "b"]


def test_a_reading_without_the_labels_of_its_metric_can_not_be_made() -> None:
    with pytest.raises(ValueError, match=r"llm_breaker_state has the labels \('model', 'state'\), got values \('a',\)"):
        Reading(LLM_BREAKER_STATE, ("a",), 1)
