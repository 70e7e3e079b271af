"""The Prometheus stage over HTTP: right at once after a restart, and right after a crash between any two writes."""

from __future__ import annotations

import asyncio
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from prometheus_client.parser import text_string_to_metric_families

from schemas.records import DraftDecided, DraftGenerated, KpiUpdate, Quality
from sinks.prometheus.role import ROLE
from sinks.prometheus.stage import PrometheusStage
from streams.endpoints import read_endpoints
from streams.engine.batch import ColumnBatch, Row, RowBatch, TopicPartition
from streams.errors import SettingsError
from streams.settings import Settings
from tests.support.drafts import plain_draft
from tests.support.stage_driver import DrivenStage, StateChange

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GENERATED, ACCEPTED = TopicPartition("drafts.generated", 0), TopicPartition("drafts.accepted", 1)
COSTS, KPIS = TopicPartition("cost.events", 0), TopicPartition("kpi.updates", 0)
SOURCES = (GENERATED, ACCEPTED, COSTS, KPIS)
TIMEOUT_S = 10

State = dict[TopicPartition, dict[bytes, bytes]]


class Worker:
    """A stage with the address it announced."""

    def __init__(self) -> None:
        self.url = ""
        self.stage = DrivenStage(PrometheusStage("24h", "127.0.0.1", 0, self._announced))

    def _announced(self, url: str) -> None:
        self.url = url

    async def start(self, state: State) -> None:
        await self.stage.open()
        for source in SOURCES:
            await self.stage.restore(source, state.get(source, {}).items())

    async def add_all(self) -> None:
        for batch in batches():
            assert list(await self.stage.add(batch)) == []


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    worker = Worker()
    yield worker
    await worker.stage.close()


def draft(number: int, latency_ms: int = 1500) -> DraftGenerated:
    return plain_draft(event_id=f"g{number}", draft_id=f"d{number}", latency_ms=latency_ms)


def accepted(number: int) -> DraftDecided:
    return DraftDecided(
        event_id=f"a{number}",
        occurred_at=NOON,
        persona_id="nova",
        draft=draft(number),
        quality=Quality(score=1.0, threshold=0.5, passed=True, features=()),
        decision="accepted",
        reasons=(),
        embedding_model="w",
    )


def kpi(window: str, views: int) -> KpiUpdate:
    return KpiUpdate(
        event_id=f"{window}{views}",
        occurred_at=NOON,
        persona_id="nova",
        window=window,
        window_end=NOON,
        views=views,
        engagement_rate=0.5,
    )


def rows(source: TopicPartition, records: Sequence[DraftGenerated | DraftDecided | KpiUpdate]) -> RowBatch[Any]:
    return RowBatch(source, [Row(offset, record) for offset, record in enumerate(records)])


def batches() -> list[RowBatch[Any] | ColumnBatch]:
    costs = pl.DataFrame(
        {
            "offset": range(10),
            "persona_id": "nova",
            "step": ["hook", "body"] * 5,
            "model": "gpt",
            "latency_ms": 400,
            "cost_micros": 7,
            "prompt_tokens": 100,
            "cached_tokens": 10,
            "completion_tokens": 20,
            "reasoning_tokens": 0,
            "backfilled": False,
        }
    )
    return [
        rows(GENERATED, [draft(1), draft(2), draft(1), draft(3)]),
        rows(ACCEPTED, [accepted(1), accepted(1)]),
        ColumnBatch(COSTS, costs),
        rows(KPIS, [kpi("24h", 10), kpi("lifetime", 90), kpi("lifetime", 100)]),
    ]


EXPECTED = {
    ("posts_generated_total", "nova", "generated"): 3.0,
    ("posts_generated_total", "nova", "accepted"): 1.0,
    ("llm_tokens_total", "prompt", "gpt"): 1000.0,
    ("llm_tokens_total", "completion", "gpt"): 200.0,
    ("content_generation_latency_seconds_count", "nova", "hook"): 5.0,
    ("content_generation_latency_seconds_sum", "nova", "body"): 2.0,
    ("content_generation_latency_seconds_sum", "nova", "total"): 4.5,
    ("draft_quality_score_count", "nova"): 1.0,
    ("draft_quality_score_sum", "nova"): 1.0,
    ("posts_engagement_rate", "nova"): 0.5,
    ("engagements_total", "views", "nova"): 100.0,
}


def scraped(url: str) -> dict[tuple[str, ...], float]:
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
        text = answer.read().decode()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def shown_of_expected(url: str) -> dict[tuple[str, ...], float]:
    found = scraped(url)
    return {name: value for name, value in found.items() if name in EXPECTED}


def keep(state: State, changes: Sequence[StateChange]) -> None:
    for change in changes:
        if change.value is None:
            state.get(change.source, {}).pop(change.key, None)
        else:
            state.setdefault(change.source, {})[change.key] = change.value


async def test_series_are_right_and_repeats_of_a_draft_count_once(worker: Worker) -> None:
    await worker.start({})
    await worker.add_all()
    await worker.stage.flush()
    assert shown_of_expected(worker.url) == EXPECTED


async def test_after_a_restart_the_series_are_right_before_anything_is_read(worker: Worker) -> None:
    state: State = {}
    before = Worker()
    await before.start({})
    await before.add_all()
    keep(state, (await before.stage.flush()).state)
    await before.stage.close()
    await worker.start(state)
    assert scraped(worker.url) == {}, "nothing is shown while partitions are restored: a part would look like a reset"
    assert worker.stage.idle_flush_due()
    effects = await worker.stage.flush()
    assert (effects.state, worker.stage.idle_flush_due()) == ([], False)
    assert shown_of_expected(worker.url) == EXPECTED


@pytest.mark.parametrize("written", range(0, 60, 3))
async def test_a_checkpoint_broken_off_after_any_write_is_made_good(worker: Worker, written: int) -> None:
    state: State = {}
    before = Worker()
    await before.start({})
    await before.add_all()
    keep(state, (await before.stage.flush()).state[:written])
    await before.stage.close()
    await worker.start(state)
    await worker.add_all()
    await worker.stage.flush()
    assert shown_of_expected(worker.url) == EXPECTED


async def test_a_partition_that_went_away_is_no_longer_shown(worker: Worker) -> None:
    await worker.start({})
    await worker.add_all()
    await worker.stage.drop(GENERATED)
    assert worker.stage.idle_flush_due()
    await worker.stage.flush()
    found = scraped(worker.url)
    assert ("posts_generated_total", "nova", "generated") not in found
    assert found["posts_generated_total", "nova", "accepted"] == 1


async def test_a_negative_latency_is_refused_and_its_neighbours_counted(worker: Worker) -> None:
    await worker.start({})
    refused = await worker.stage.add(rows(GENERATED, [draft(1), draft(2, latency_ms=-1), draft(3)]))
    await worker.stage.flush()
    assert [rejection.offset for rejection in refused] == [1]
    assert scraped(worker.url)["posts_generated_total", "nova", "generated"] == 2


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan"), float("inf")])
async def test_a_score_outside_0_to_1_is_refused_and_the_rest_is_counted(worker: Worker, score: float) -> None:
    await worker.start({})
    foreign = replace(accepted(2), quality=Quality(score=score, threshold=0.5, passed=True, features=()))
    refused = await worker.stage.add(rows(ACCEPTED, [accepted(1), foreign, accepted(3)]))
    await worker.stage.flush()
    assert [rejection.offset for rejection in refused] == [1]
    assert "expected a quality score from 0 to 1" in str(refused[0].fault)
    assert scraped(worker.url)["draft_quality_score_count", "nova"] == 2


async def test_only_metrics_is_served(worker: Worker) -> None:
    await worker.start({})
    with pytest.raises(urllib.error.HTTPError) as answer:
        await asyncio.to_thread(scraped, worker.url.replace("/metrics", "/"))
    assert answer.value.code == 404
    answer.value.close()


async def test_a_taken_port_is_a_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        stage = DrivenStage(PrometheusStage("24h", "127.0.0.1", port, print))
        with pytest.raises(SettingsError, match=rf"port {port} can't be taken.*THREADS_METRICS_PORT"):
            await stage.open()


async def test_the_role_writes_the_address_into_the_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("home with space")
    [stage] = ROLE.build(Settings(home=home))
    await stage.open()
    url = read_endpoints(home).metrics
    assert url is not None
    assert scraped(url) == {}
    await stage.close()


async def test_openmetrics_is_served_to_who_asks_for_it(worker: Worker) -> None:
    await worker.start({})
    await worker.add_all()
    await worker.stage.flush()
    request = urllib.request.Request(worker.url, headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    with await asyncio.to_thread(urllib.request.urlopen, request, timeout=TIMEOUT_S) as answer:
        lines = answer.read().decode().splitlines()
    assert 'posts_generated_total{persona_id="nova",status="generated"} 3.0' in lines
    assert lines[-1] == "# EOF"
