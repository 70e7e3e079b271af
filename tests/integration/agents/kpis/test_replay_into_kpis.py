"""`replay --into kpis` on the real broker: what the live stages would count of a selection, twice the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from schemas.records import RevenueEvent
from streams.cli.main import main
from streams.settings import current_settings
from tests.conftest import Stack
from tests.support.replays import NOON, append, events


@pytest.fixture
def home(stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A home of the test's own."""
    for variable, value in {
        **stack.environment(),
        "THREADS_KAFKA": stack.bootstrap,
        "THREADS_HOME": str(tmp_path),
    }.items():
        monkeypatch.setenv(variable, value)
    current_settings.cache_clear()
    yield tmp_path
    current_settings.cache_clear()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["replay", *arguments, "--into", "kpis"], catch_exceptions=False)


async def test_repeated_ids_count_once_and_a_second_replay_gives_the_same_state(stack: Stack, home: Path) -> None:
    persona = f"folded {uuid4()}"
    views = events(persona, 40)
    await append(stack.cluster, "engagement.events", views[:1])
    since_ms = await append(stack.cluster, "engagement.events", [*views, replace(views[7], count=1_000)])
    sale = RevenueEvent(
        event_id=str(uuid4()), occurred_at=NOON, persona_id=persona, kind="sale", amount_micros=30_000_000
    )
    await append(stack.cluster, "revenue.events", [sale])
    command = ("engagement.events", "revenue.events", "--since", str(since_ms), "--persona", persona)
    first = await asyncio.to_thread(run, *command, "--json")
    assert first.exit_code == 0, first.stderr
    told = json.loads(first.stdout)
    found = json.loads(told["detail"])
    ever = {each["window"]: each for each in found["kpis"] if each["persona_id"] == persona}["lifetime"]
    assert (ever["views"], ever["revenue_micros"]) == (sum(range(2, 41)), 30_000_000)
    assert "KPIs of the selection as of" in first.stderr
    assert persona in first.stderr
    again = json.loads((await asyncio.to_thread(run, *command, "--json")).stdout)
    assert again["run_id"] != told["run_id"]
    assert json.loads(again["detail"])["state_sha256"] == found["state_sha256"]
    assert [each.name for each in (home / "replays" / "kpis").iterdir()] == [again["run_id"]]
