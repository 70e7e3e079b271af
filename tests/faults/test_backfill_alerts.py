"""A backfill of past costs and engagement counts in full and fires no alert; a live call that crosses still does."""

from __future__ import annotations

import asyncio
import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from agents.personas.persona import PersonaBudget
from agents.personas.persona_topic import apply_personas
from agents.spend.spend_topics import alerts_since
from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.records import CostEvent, KpiUpdate
from schemas.registries.registry import open_registry
from streams.alerting.rules_file import render_rules
from streams.engine.stage import Output
from streams.kafka.log_reader import read_range
from streams.kafka.producer import EventProducer
from streams.settings import Settings
from streams.wall_clock import utc_now
from tests.conftest import Stack
from tests.support.alert_cases import Case, fires, quiet
from tests.support.drafting import samples
from tests.support.sink_workers import series, sink_workers

ROWS, RECENT = 50_000, 50  # of costs and of engagement: 100,000 events
ALERTS = ("SpendHigh", "CostPerFollowHigh", "EngagementRateLow", "QualityLow")
DEADLINE_S = 180.0
KILLED_AFTER_S = 4
MODEL = "gpt-4.1"


def write_rows(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def threads_agent(stack: Stack, *arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "streams.cli.main", "import", *map(str, arguments)]
    environment = {**os.environ, **stack.environment()}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


async def imported(stack: Stack, *arguments: str | Path) -> str:
    process = threads_agent(stack, *arguments)
    output, _ = await asyncio.to_thread(process.communicate, timeout=DEADLINE_S)
    assert process.returncode == 0, output
    return output


async def newest_kpis(stack: Stack, persona_id: str) -> dict[str, KpiUpdate]:
    codec, topic = RowCodec(open_registry(None)), topic_named("kpi.updates")
    found: dict[str, KpiUpdate] = {}
    async for _, block in read_range(stack.cluster, topic.name):
        for record in block:
            if record.key == persona_id.encode():
                update = codec.decode(topic, record.value)
                assert isinstance(update, KpiUpdate)
                found[update.window] = update
    return found


def live_call(persona_id: str, dollars: int) -> Output:
    event = CostEvent(
        event_id=str(uuid4()),
        occurred_at=utc_now(),
        persona_id=persona_id,
        step="body",
        model=MODEL,
        prompt_tokens=1,
        completion_tokens=1,
        cost_micros=dollars * 1_000_000,
    )
    return Output("cost.events", event)


@pytest.fixture
def promtool(prometheus_program: Path) -> str:
    """The promtool that comes with Prometheus."""
    beside = prometheus_program.with_name("promtool")
    return str(beside) if beside.exists() else shutil.which("promtool") or pytest.skip("no promtool beside Prometheus")


@pytest.fixture
async def persona_id(stack: Stack) -> str:
    """A persona of its own, with a budget of two dollars a day."""
    persona_id = f"backfilled-{uuid4().hex[:12]}"
    budget = PersonaBudget(daily_dollars=Decimal("2.00"))
    persona = samples()[0].model_copy(update={"persona_id": persona_id, "budget": budget})
    await apply_personas(stack.settings, [persona], utc_now())
    return persona_id


@pytest.fixture
async def producer(stack: Stack) -> AsyncIterator[EventProducer]:
    producer = EventProducer(stack.cluster, open_registry(None))
    yield producer
    await producer.stop()


def costs_file(folder: Path, persona_id: str, past: Sequence[datetime]) -> Path:
    rows = [(f"{persona_id}-{number}", at.isoformat(), MODEL, "$0.50") for number, at in enumerate(past)]
    return write_rows(folder / "costs.csv", ("id", "time", "model", "cost"), rows)


def engagement_file(folder: Path, past: Sequence[datetime], recent: datetime) -> Path:
    """Write views: of the past without a like, a rate that would alarm were it of now; of late with one each."""
    rows = [(f"post {number % 300}", at.isoformat(), 1, 0) for number, at in enumerate(past)]
    rows += [("post 0", (recent - timedelta(milliseconds=number)).isoformat(), 1, 1) for number in range(RECENT)]
    return write_rows(folder / "engagement.csv", ("post", "at", "seen", "liked"), rows)


async def alarmed(stack: Stack, persona_id: str, began: datetime) -> set[str]:
    told = await alerts_since(stack.cluster, open_registry(None), began)
    return {each.kind for each in told if each.persona_id == persona_id}


async def import_costs_with_a_kill(stack: Stack, costs: Path, persona_id: str) -> None:
    """Import costs, killed somewhere in it and tried again: wherever that is, nothing counts twice."""
    broken_off = threads_agent(stack, "costs", costs, "--persona", persona_id)
    await asyncio.sleep(KILLED_AFTER_S)
    broken_off.send_signal(signal.SIGKILL)
    await asyncio.to_thread(broken_off.communicate, timeout=DEADLINE_S)
    await imported(stack, "costs", costs, "--persona", persona_id)
    again = await imported(stack, "costs", costs, "--persona", persona_id)
    assert "0 sent in" in again
    assert f"{ROWS:,} were in already" in again


def check_alerts(promtool: str, folder: Path, cases: Sequence[Case]) -> None:
    """Run the generated rules over series."""
    (folder / "rules.yml").write_text(render_rules(Settings()), encoding="utf-8")
    tests = [case.as_promtool_has_it() for case in cases]
    suite: dict[str, Any] = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests}
    (folder / "suite.yml").write_text(yaml.safe_dump(suite), encoding="utf-8")
    done = subprocess.run(
        [promtool, "test", "rules", "suite.yml"], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def cost_series(persona_id: str, *stages: dict[tuple[str, ...], float]) -> dict[str, str]:
    """Return the counter of costs as it was scraped at several times, an hour each."""
    values = [stage["llm_cost_dollars_total", persona_id, MODEL] for stage in stages]
    name = f'llm_cost_dollars_total{{persona_id="{persona_id}", model="{MODEL}", instance="a"}}'
    return {name: " ".join(f"{value}x59" for value in values)}


def gauges(persona_id: str, found: dict[tuple[str, ...], float]) -> dict[str, str]:
    names = ("posts_engagement_rate", "cost_per_follow_dollars")
    told = {name: found[name, persona_id] for name in names if (name, persona_id) in found}
    return {f'{name}{{persona_id="{persona_id}", instance="a"}}': f"_x60 {value}x120" for name, value in told.items()}


@pytest.mark.timeout(400)
async def test_a_backfill_counts_in_full_and_alarms_nobody_but_a_live_call_does(
    stack: Stack, tmp_path: Path, persona_id: str, producer: EventProducer, promtool: str
) -> None:
    began, spent = utc_now(), ("llm_cost_dollars_total", persona_id, MODEL)
    past = [began - timedelta(days=2 + number % 30, seconds=number % 3600) for number in range(ROWS)]
    async with sink_workers(stack, ("spend", "kpis", "sink-prometheus"), tmp_path) as workers:
        await producer.append_all([live_call(persona_id, 1)])
        await workers.until(lambda: series(tmp_path).get(spent) == 1)
        before = series(tmp_path)
        await import_costs_with_a_kill(stack, costs_file(tmp_path, persona_id, past), persona_id)
        engagement = engagement_file(tmp_path, past, began - timedelta(minutes=20))
        maps = ("post_id=post", "occurred_at=at", "views=seen", "likes=liked")
        words = ("--persona", persona_id, "--counts", "new", *(word for each in maps for word in ("--map", each)))
        await imported(stack, "engagement", engagement, *words)
        views = ("engagements_total", persona_id, "views")
        await workers.until(lambda: series(tmp_path).get(views) == ROWS + RECENT)

        deadline = time.monotonic() + DEADLINE_S
        while (kpis := await newest_kpis(stack, persona_id))["lifetime"].cost_micros != (ROWS // 2 + 1) * 1_000_000:
            assert time.monotonic() < deadline, kpis["lifetime"]
            await asyncio.sleep(0.5)
        assert (kpis["1h"].views, kpis["24h"].views, kpis["24h"].cost_micros) == (RECENT, RECENT, 1_000_000)
        assert kpis["7d"].views == RECENT + sum(at > began - timedelta(days=7) for at in past)
        after = series(tmp_path)
        assert after[spent] == before[spent]
        assert not await alarmed(stack, persona_id, began)

        await producer.append_all([live_call(persona_id, 6)])
        await workers.until(lambda: series(tmp_path).get(spent) == 7)
        live = series(tmp_path)
        while "pause" not in await alarmed(stack, persona_id, began):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.5)
        await workers.stop()
    now = {**cost_series(persona_id, before, after, live), **gauges(persona_id, after)}
    history = [quiet(alert, "through a backfill", "119m", now) for alert in ALERTS]
    check_alerts(promtool, tmp_path, [*history, fires("SpendHigh", "for a live call", "130m", now)])
