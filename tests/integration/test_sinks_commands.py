"""`kpis`, `drafts` and `costs` on the real server: what they print adds up, ratios beside their denominators."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import uuid4

import click
import polars as pl
import psycopg
import pytest
from click.testing import CliRunner
from psycopg.conninfo import make_conninfo

from schemas.records import DraftDecided, DraftGenerated, KpiUpdate, NearDuplicate, Quality, QualityFeature
from sinks.postgres.commands import costs, drafts, kpis
from sinks.postgres.queries import NoTables
from sinks.postgres.sink import PostgresSink
from streams.engine.batch import Batch, ColumnBatch, Row, RowBatch, TopicPartition
from streams.errors import Unavailable
from streams.settings import current_settings

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Servers(Protocol):
    """The part of the session's stack that is used here."""

    postgres_dsn: str


@pytest.fixture
def dsn(stack: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database of the test's own, as this process's setting."""
    name = f"commands_{uuid4().hex}"
    with psycopg.connect(stack.postgres_dsn, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
        dsn = make_conninfo(stack.postgres_dsn, dbname=name)
        monkeypatch.setenv("THREADS_POSTGRES_DSN", dsn)
        current_settings.cache_clear()
        yield dsn
        current_settings.cache_clear()
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def kpi(persona_id: str, window: str, *, views: int, follows: int = 0, projection: int | None = None) -> KpiUpdate:
    return KpiUpdate(
        event_id=f"{persona_id}-{window}",
        occurred_at=NOON,
        persona_id=persona_id,
        window=window,
        window_end=NOON,
        window_start=None if window == "lifetime" else NOON - timedelta(hours=1),
        views=views,
        likes=4,
        replies=1,
        engagements=5,
        follows=follows,
        cost_micros=2_500_000,
        engagement_rate=5 / views if views else None,
        cost_per_follow_dollars=2.5 / follows if follows else None,
        revenue_projection_monthly_micros=projection,
        viral_posts=3 if window == "lifetime" else None,
    )


def decided() -> DraftDecided:
    draft = DraftGenerated(
        event_id="g",
        occurred_at=NOON,
        persona_id="nova",
        draft_id="draft-2",
        request_id="request",
        persona_version="v",
        hook="h",
        body="b",
        text="[bold]not markup[/bold] and a long text that goes on and on and on and on",
        language="en",
        model="smollm2",
        prompt_tokens=10,
        completion_tokens=20,
        cost_micros=1_500,
        latency_ms=1,
    )
    feature = QualityFeature(name="length", value=1.0, weight=1.0, reason="as it should be")
    return DraftDecided(
        event_id="d",
        occurred_at=NOON,
        persona_id="nova",
        draft=draft,
        quality=Quality(score=0.75, threshold=0.5, passed=True, features=(feature,)),
        decision="rejected",
        reasons=("near duplicate",),
        near_duplicate=NearDuplicate(draft_id="draft-1", similarity=0.97),
        embedding_model="w",
    )


def calls() -> ColumnBatch:
    frame = pl.DataFrame(
        {
            "event_id": ["c1", "c2", "c3", "c4"],
            "occurred_at": 1_772_366_400_000,
            "persona_id": ["nova", "nova", "nova", "rex"],
            "causation_id": pl.Series([None] * 4, dtype=pl.String),
            "request_id": "r",
            "step": "hook",
            "model": ["gpt", "gpt", "new", "gpt"],
            "prompt_tokens": [100, 10, 1, 1000],
            "cached_tokens": [50, 0, 0, 0],
            "completion_tokens": [5, 5, 5, 5],
            "reasoning_tokens": 0,
            "cost_micros": [1_000_001, 2, None, 500_000],
            "latency_ms": 1,
            "offset": range(4),
        }
    )
    return ColumnBatch(TopicPartition("cost.events", 0), frame)


def load(dsn: str, *batches: Batch) -> None:
    async def write() -> None:
        sink = PostgresSink(dsn, 20)
        await sink.open()
        try:
            for batch in batches:
                assert not await sink.add(batch)
            await sink.flush()
        finally:
            await sink.close()

    asyncio.run(write())


def load_kpis(dsn: str, *updates: KpiUpdate) -> None:
    load(
        dsn, RowBatch(TopicPartition("kpi.updates", 0), [Row(offset, update) for offset, update in enumerate(updates)])
    )


def printed(command: click.Command, *arguments: str) -> str:
    result = CliRunner().invoke(command, arguments, catch_exceptions=False, env={"COLUMNS": "250"})
    assert result.exit_code == 0, result.output
    return result.stdout


def parsed(command: click.Command, *arguments: str) -> Any:
    return json.loads(printed(command, *arguments, "--json"))


def test_every_ratio_comes_with_its_numerator_and_denominator(dsn: str) -> None:
    load_kpis(dsn, kpi("nova", "24h", views=100, follows=10), kpi("nova", "30d", views=0, projection=7_250_000))
    day, month = parsed(kpis)
    assert day["engagement_rate"] == {"value": 0.05, "numerator": 5, "denominator": 100}
    assert day["cost_per_follow"] == {"value": 0.25, "numerator": 2.5, "denominator": 10}
    assert day["cost_per_account_growth"] == {"value": None, "numerator": 2.5, "denominator": 0}
    assert month["engagement_rate"] == {"value": None, "numerator": 5, "denominator": 0}
    assert month["revenue_projection_monthly"] == {"value": 7.25, "numerator": 7.25, "denominator": 1}
    assert {
        name: day[name] for name in ("persona_id", "window", "as_of", "views", "likes", "clicks", "viral_posts")
    } == {
        "persona_id": "nova",
        "window": "24h",
        "as_of": "2026-03-01T12:00:00.000+00:00",
        "views": 100,
        "likes": 4,
        "clicks": 0,
        "viral_posts": None,
    }


def test_kpis_are_in_the_order_of_personas_and_windows_and_can_be_narrowed(dsn: str) -> None:
    windows = ("lifetime", "30d", "7d", "24h", "1h")
    load_kpis(dsn, *(kpi(persona, window, views=1) for persona in ("rex", "nova") for window in windows))
    shown = [(found["persona_id"], found["window"]) for found in parsed(kpis)]
    assert shown == [(persona, window) for persona in ("nova", "rex") for window in reversed(windows)]
    assert len(parsed(kpis, "--persona", "rex")) == 5
    assert len(parsed(kpis, "--persona", "rex", "--window", "7d")) == 1
    assert parsed(kpis, "--persona", "nobody") == []


def test_the_table_of_kpis_shows_denominators(dsn: str) -> None:
    load_kpis(dsn, kpi("nova", "24h", views=1000, follows=10), kpi("nova", "lifetime", views=0))
    table = printed(kpis)
    assert "0.50% (5 / 1,000)" in table
    assert "$0.2500 ($2.50 / 10)" in table
    assert "- (5 / 0)" in table


def test_drafts_show_their_decision_and_what_they_resemble(dsn: str) -> None:
    load(dsn, RowBatch(TopicPartition("drafts.rejected", 0), [Row(0, decided())]))
    [draft] = parsed(drafts, "--persona", "nova", "--status", "rejected")
    assert draft["near_duplicate"] == {"draft_id": "draft-1", "similarity": 0.97}
    assert (draft["decision"], draft["reasons"], draft["score"], draft["cost_dollars"]) == (
        "rejected",
        ["near duplicate"],
        0.75,
        0.0015,
    )
    assert parsed(drafts, "--status", "accepted") == []
    table = printed(drafts)
    assert "[bold]not markup[/bold]" in table
    assert "near duplicate; resembles draft-1 by 0.970" in table


def test_costs_add_up_and_calls_of_unknown_price_are_counted_apart(dsn: str) -> None:
    load(dsn, calls())
    found = parsed(costs)
    assert [
        (each["persona_id"], each["model"], each["calls"], each["cost_micros"])
        for each in found["by_persona_and_model"]
    ] == [
        ("nova", "gpt", 2, 1_000_003),
        ("nova", "new", 1, 0),
        ("rex", "gpt", 1, 500_000),
    ]
    assert found["total"] == {
        "calls": 4,
        "prompt_tokens": 1111,
        "cached_tokens": 50,
        "completion_tokens": 20,
        "reasoning_tokens": 0,
        "cost_micros": 1_500_003,
        "cost_dollars": 1.500003,
        "unpriced_calls": 1,
    }
    assert "$1.500003" in printed(costs)


def test_empty_tables_are_no_error(dsn: str) -> None:
    load(dsn)
    assert parsed(kpis) == parsed(drafts) == []
    assert parsed(costs)["total"]["calls"] == 0
    assert "no KPIs yet" in printed(kpis)
    assert "no drafts yet" in printed(drafts)


def test_a_database_without_tables_says_what_to_start(dsn: str) -> None:
    with pytest.raises(NoTables, match="threads-agent up"):
        CliRunner().invoke(kpis, catch_exceptions=False)


def test_a_server_that_is_not_there_is_said_without_its_password(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREADS_POSTGRES_DSN", "postgresql://threads:secret@127.0.0.1:1/threads")
    current_settings.cache_clear()
    with pytest.raises(Unavailable, match="PostgreSQL does not answer") as refused:
        CliRunner().invoke(costs, catch_exceptions=False)
    assert "secret" not in str(refused.value)
