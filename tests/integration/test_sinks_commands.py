"""The commands that read PostgreSQL, on the real server: what they print adds up, ratios beside their denominators."""

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

from schemas.records import (
    CostSaving,
    DraftDecided,
    DraftGenerated,
    KpiUpdate,
    NearDuplicate,
    Quality,
    QualityFeature,
    SavingMeasure,
)
from sinks.postgres.commands import costs, drafts, kpis
from sinks.postgres.post_report import SORTS
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


def engagement(*events: tuple[str, str, str, int, int], first_offset: int = 0) -> ColumnBatch:
    """Return events (persona, post, kind, count, minutes after NOON)."""
    columns = list(zip(*events, strict=True))
    frame = pl.DataFrame(
        {
            "event_id": [f"e-{first_offset + number}" for number in range(len(events))],
            "occurred_at": [1_772_366_400_000 + 60_000 * minutes for minutes in columns[4]],
            "persona_id": columns[0],
            "causation_id": pl.Series([None] * len(events), dtype=pl.String),
            "post_id": columns[1],
            "kind": columns[2],
            "count": columns[3],
            "source": "test",
            "simulated": False,
            "offset": range(first_offset, first_offset + len(events)),
        }
    )
    return ColumnBatch(TopicPartition("engagement.events", 0), frame)


def published(post_id: str, text: str) -> ColumnBatch:
    frame = pl.DataFrame(
        {
            "event_id": [f"published-{post_id}"],
            "occurred_at": 1_772_366_400_000,
            "persona_id": "nova",
            "causation_id": pl.Series([None], dtype=pl.String),
            "post_id": post_id,
            "draft_id": pl.Series([None], dtype=pl.String),
            "text": text,
            "source": "test",
            "simulated": False,
            "offset": [0],
        }
    )
    return ColumnBatch(TopicPartition("posts.published", 0), frame)


POSTS = engagement(
    ("nova", "p1", "view", 200, 1),
    ("nova", "p1", "view", 100, 90),
    ("nova", "p1", "like", 31, 90),
    ("nova", "p2", "view", 400, 5),
    ("nova", "p2", "share", 40, 5),
    ("rex", "p1", "view", 50, 24 * 60),
    ("rex", "p1", "quote", 50, 24 * 60),
)


def test_posts_come_with_counters_viral_or_not_and_their_first_day(dsn: str) -> None:
    load(dsn, POSTS, published("p1", "[bold]Hello[/bold]"))
    top, viral, other = parsed(kpis, "posts")
    assert [(each["persona_id"], each["post_id"]) for each in (top, viral, other)] == [
        ("nova", "p2"), ("nova", "p1"), ("rex", "p1"),
    ]  # fmt: skip
    assert [each["viral"] for each in (top, viral, other)] == [False, True, False]
    assert top["engagement_rate"] == {"value": 0.1, "numerator": 40, "denominator": 400}
    assert viral["first_hour"] == {"views": 200, "engagements": 0}
    assert viral["first_day"] == {"views": 300, "engagements": 31}
    assert viral["first_day_growth"] == {"value": 0.5, "numerator": 100, "denominator": 200}
    assert (viral["published_at"], viral["published_at_from"], viral["text"]) == (
        "2026-03-01T12:00:00.000+00:00", "publication", "[bold]Hello[/bold]",
    )  # fmt: skip
    assert (other["published_at_from"], other["text"]) == ("first engagement", None)
    table = printed(kpis, "posts", "--persona", "nova")
    assert "10.33% (31 / 300)" in table
    assert "50.00% (100 / 200)" in table
    assert "2026-03-01 12:05 *" in table
    assert "[bold]Hello[/bold]" in table


@pytest.mark.parametrize("sort", SORTS)
def test_posts_are_sorted_greatest_first_and_limited(dsn: str, sort: str) -> None:
    load(dsn, POSTS)
    greatest = {"published": "rex", "engagement-rate": "rex", "engagements": "rex"}.get(sort, "nova")
    found = parsed(kpis, "posts", "--sort", sort, "--limit", "2")
    assert len(found) == 2
    assert found[0]["persona_id"] == greatest


def test_posts_can_be_narrowed(dsn: str) -> None:
    load(dsn, POSTS)
    assert [each["post_id"] for each in parsed(kpis, "posts", "--viral")] == ["p1"]
    assert [each["views"] for each in parsed(kpis, "posts", "--min-views", "301")] == [400]
    assert parsed(kpis, "posts", "--persona", "nobody") == []
    assert "no such posts of persona nobody" in printed(kpis, "posts", "--persona", "nobody")


def test_the_daily_history_has_engagement_costs_revenue_and_posts_of_a_day(dsn: str) -> None:
    load(dsn, POSTS, published("p1", "text"), calls(), revenue())
    first, second, *more = parsed(kpis, "daily")
    assert [(first["day"], first["persona_id"]), (second["day"], second["persona_id"])] == [
        ("2026-03-01", "nova"), ("2026-03-01", "rex"),
    ]  # fmt: skip
    assert [(each["day"], each["views"]) for each in more] == [("2026-03-02", 50)]
    assert first["engagement_rate"] == {"value": 71 / 700, "numerator": 71, "denominator": 700}
    assert first["cost_per_follow"] == {"value": None, "numerator": 1.000003, "denominator": 0}
    counts = ("posts", "cost_micros", "unpriced_calls", "revenue_micros", "one_off_revenue_micros")
    assert [first[name] for name in counts] == [1, 1_000_003, 1, 3_000_000, 2_000_000]
    assert first["recurring_revenue_micros"] == 4_000_000
    assert "10.14% (71 / 700)" in printed(kpis, "daily")
    assert [each["day"] for each in parsed(kpis, "daily", "--since", "2026-03-02")] == ["2026-03-02"]
    assert len(parsed(kpis, "daily", "--until", "2026-03-02", "--persona", "rex")) == 1
    assert "no such days" in printed(kpis, "daily", "--since", "2027-01-01")


def revenue() -> ColumnBatch:
    kinds = ["sale", "subscription_payment", "subscription_started", "subscription_ended"]
    frame = pl.DataFrame(
        {
            "event_id": kinds,
            "occurred_at": 1_772_366_400_000,
            "persona_id": "nova",
            "causation_id": pl.Series([None] * 4, dtype=pl.String),
            "kind": kinds,
            "amount_micros": [2_000_000, 1_000_000, 5_000_000, 1_000_000],
            "subscription_id": pl.Series([None] * 4, dtype=pl.String),
            "source": "test",
            "simulated": False,
            "offset": range(4),
        }
    )
    return ColumnBatch(TopicPartition("revenue.events", 0), frame)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--persona", "nova", "posts"), "options go behind posts"),
        (("posts", "--sort", "best"), "'views', 'engagements'"),
        (("posts", "--limit", "0"), "0 is not in the range x>=1"),
        (("daily", "--since", "yesterday"), "does not match the format '%Y-%m-%d'"),
        (("daily", "--since", "2026-03-02", "--until", "2026-03-01"), "expected a day after 2026-03-02"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_with_what_would(arguments: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(kpis, arguments)
    assert result.exit_code == 2
    assert said in result.output


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


def saving(number: int, measure: SavingMeasure, micros: int | None) -> Row:
    record = CostSaving(
        event_id=f"s{number}",
        occurred_at=NOON,
        persona_id="nova",
        step="body",
        measure=measure,
        model="gpt",
        prompt_tokens=100,
        completion_tokens=10,
        saved_micros=micros,
    )
    return Row(number, record)


def test_savings_are_told_by_measure_with_their_share_and_what_is_unknown(dsn: str) -> None:
    rows = [saving(0, "tier", 250_000), saving(1, "tier", 249_997), saving(2, "cache", None), saving(3, "batch", -10)]
    load(dsn, calls(), RowBatch(TopicPartition("cost.savings", 0), rows))
    found = parsed(costs, "--saved")
    of = {row["measure"]: row for row in found["by_measure"]}
    assert (of["tier"]["calls"], of["tier"]["saved_micros"], of["tier"]["prompt_tokens"]) == (2, 499_997, 200)
    assert (of["cache"]["saved_micros"], of["cache"]["unknown_calls"]) == (0, 1)
    assert of["batch"]["saved_micros"] == -10
    assert (found["bill_micros"], found["bill_unpriced_calls"]) == (1_500_003, 1)
    assert found["bill_without_micros"] == 1_500_003 + 499_987
    assert of["tier"]["share"] == pytest.approx(499_997 / 1_999_990)
    assert found["total"]["share"] == pytest.approx(499_987 / 1_999_990)
    shown = printed(costs, "--saved")
    assert "25.0 %" in shown
    assert "unknown" in shown


def test_without_savings_and_costs_there_is_no_share(dsn: str) -> None:
    load(dsn)
    found = parsed(costs, "--saved")
    assert found["by_measure"] == []
    assert (found["total"]["saved_micros"], found["total"]["share"]) == (0, None)


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
