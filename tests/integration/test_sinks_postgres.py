"""The Postgres sink on the real server: the same events end in the same rows, in any batching and order."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import uuid4

import polars as pl
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from schemas.records import (
    BudgetAlert,
    CostSaving,
    DeadLetter,
    Decision,
    DraftDecided,
    DraftGenerated,
    DraftScored,
    Header,
    KpiUpdate,
    NearDuplicate,
    PersonaApplied,
    PersonaRequest,
    Quality,
    QualityFeature,
    Record,
)
from sinks.postgres.sink import TABLES, PostgresSink
from streams.engine.batch import Batch, ColumnBatch, Row, RowBatch, TopicPartition

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
QUALITY = Quality(
    score=0.75,
    threshold=0.55,
    passed=True,
    features=(QualityFeature(name="length", value=1.0, weight=0.5, reason='a "word" \\'),),
)


class Servers(Protocol):
    """The part of the session's stack that is used here."""

    postgres_dsn: str


@pytest.fixture
def dsn(stack: Servers) -> Iterator[str]:
    """A database of the test's own."""
    name = f"sinks_{uuid4().hex}"
    with psycopg.connect(stack.postgres_dsn, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
        yield make_conninfo(stack.postgres_dsn, dbname=name)
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def draft(number: int, text: str = "Hook\nand body") -> DraftGenerated:
    return DraftGenerated(
        event_id=f"generated-{number}",
        occurred_at=NOON + timedelta(seconds=number),
        persona_id="nova",
        draft_id=f"draft-{number}",
        request_id="request-1",
        persona_version="v1",
        hook="Hook",
        body="and body",
        text=text,
        language="en",
        model="smollm2",
        prompt_tokens=10,
        completion_tokens=20,
        cost_micros=None,
        latency_ms=1500,
    )


def decided(number: int, decision: Decision, seconds: int = 60, reasons: tuple[str, ...] = ()) -> DraftDecided:
    return DraftDecided(
        event_id=f"decided-{number}-{seconds}",
        occurred_at=NOON + timedelta(seconds=seconds),
        persona_id="nova",
        draft=draft(number),
        quality=QUALITY,
        decision=decision,
        reasons=reasons,
        near_duplicate=NearDuplicate(draft_id="draft-0", similarity=0.97) if reasons else None,
        embedding_model="wordllama",
        embedding=(0.6, 0.8),
    )


def scored(number: int) -> DraftScored:
    at = NOON + timedelta(seconds=30)
    return DraftScored(
        event_id=f"scored-{number}", occurred_at=at, persona_id="nova", draft=draft(number), quality=QUALITY
    )


def kpi(window: str, second: float, views: int) -> KpiUpdate:
    at = NOON + timedelta(seconds=second)
    return KpiUpdate(
        event_id=f"kpi-{window}-{second}-{views}",
        occurred_at=at,
        persona_id="nova",
        window=window,
        window_end=at,
        views=views,
        likes=2,
    )


def rows(topic: str, partition: int, records: Sequence[Record], first_offset: int = 0) -> RowBatch:
    return RowBatch(
        TopicPartition(topic, partition), [Row(first_offset + n, record) for n, record in enumerate(records)]
    )


def engagement(partition: int, ids: Sequence[str], first_offset: int = 0, **changes: Any) -> ColumnBatch:
    columns = {
        "event_id": ids,
        "occurred_at": [NOON_MS + n for n in range(len(ids))],
        "persona_id": "nova",
        "causation_id": pl.lit(None, pl.String),
        "post_id": pl.Series(["a,b" if n % 2 else None for n in range(len(ids))], dtype=pl.String),
        "kind": "view",
        "count": list(range(len(ids))),
        "source": 'import:"quoted"\nname',
        "simulated": False,
        "offset": range(first_offset, first_offset + len(ids)),
    } | changes
    series = {name: value for name, value in columns.items() if not isinstance(value, str | bool | pl.Expr)}
    constants = [
        (value if isinstance(value, pl.Expr) else pl.lit(value)).alias(name)
        for name, value in columns.items()
        if name not in series
    ]
    return ColumnBatch(TopicPartition("engagement.events", partition), pl.DataFrame(series).with_columns(constants))


def columns(topic: str, frame: dict[str, Any]) -> ColumnBatch:
    count = len(frame["event_id"])
    common = {
        "occurred_at": [NOON_MS] * count,
        "persona_id": ["nova"] * count,
        "causation_id": pl.Series([None] * count, dtype=pl.String),
        "offset": range(count),
    }
    return ColumnBatch(TopicPartition(topic, 0), pl.DataFrame(common | frame))


def every_kind_of_batch() -> list[Batch]:
    """Batches of every topic, with duplicates of one id that differ, in one partition and in two."""
    ids = [f"event-{n}" for n in range(50)]
    request = PersonaRequest(event_id="request-1", occurred_at=NOON, persona_id="nova", brief="pains of commuting")
    persona = PersonaApplied(event_id="p1", occurred_at=NOON, persona_id="nova", version="v1", definition="{}")
    letter = DeadLetter(
        event_id="letter-1",
        occurred_at=NOON,
        consumer="kpis",
        source_topic="engagement.events",
        source_partition=1,
        source_offset=7,
        source_timestamp=NOON,
        key=b"\x00key",
        value=None,
        headers=(Header(name="trace", value=b"\xff"), Header(name="empty", value=None)),
        error_class="DecodeFault",
        reason="got \x00\x01",
    )
    return [
        engagement(0, ids),
        engagement(0, ids[:10], first_offset=50, source="a repeat that differs"),
        engagement(1, ids[5:15], first_offset=3, source="the same ids on another partition"),
        rows("persona.requests", 0, [request, replace(request, brief="a repeat that differs")]),
        rows("personas", 0, [persona, replace(persona, version="v2", definition='{"voice": "dry"}')]),
        rows("drafts.generated", 0, [draft(n) for n in range(5)] + [draft(4, text="written again")]),
        rows("drafts.scored", 0, [scored(n) for n in range(4)]),
        rows("drafts.accepted", 0, [decided(0, "accepted"), decided(3, "accepted", seconds=90)]),
        rows("drafts.rejected", 0, [decided(n, "rejected", reasons=("near duplicate",)) for n in (1, 3)]),
        rows("kpi.updates", 0, [kpi("1h", second, views) for second, views in ((1, 10), (59, 20), (61, 30), (61, 40))]),
        rows(
            "kpi.updates", 0, [kpi("lifetime", second, views) for second, views in ((1, 10), (3599, 5))], first_offset=4
        ),
        rows("dead.letters", 0, [letter]),
        *spend_batches(),
        *column_batches(),
    ]


def spend_batches() -> list[Batch]:
    """Batches of savings, known and unknown, and of alerts, told twice."""
    saving = CostSaving(
        event_id="saving-1",
        occurred_at=NOON,
        persona_id="nova",
        step="body",
        measure="tier",
        model="gpt",
        saved_micros=5,
    )
    alert = BudgetAlert(
        event_id="alert-1",
        occurred_at=NOON,
        persona_id="*",
        kind="pause",
        period="day",
        period_start=NOON,
        spent_micros=9,
    )
    unknown = replace(saving, event_id="saving-2", measure="cache", saved_micros=None)
    return [
        rows("cost.savings", 0, [saving, unknown, replace(saving, saved_micros=7)]),
        rows("cost.savings", 1, [replace(saving, saved_micros=6)]),
        rows(
            "budget.alerts", 0, [alert, replace(alert, spent_micros=10), replace(alert, event_id="a", limit_micros=8)]
        ),
    ]


def column_batches() -> list[Batch]:
    """Batches of posts, costs and revenue, with texts that CSV has to quote."""
    return [
        columns(
            "posts.published",
            {
                "event_id": ["post-event"],
                "post_id": ["post-1"],
                "draft_id": ["draft-0"],
                "text": ['Ünï\r\n,"x" \\.'],
                "source": ["simulated"],
                "simulated": [True],
            },
        ),
        columns(
            "cost.events",
            {
                "event_id": ["cost-1", "cost-2", "\\."],
                "request_id": ["request-1", None, ""],
                "step": ["hook", "body", "body"],
                "model": ["gpt", "gpt", "new"],
                "prompt_tokens": [100, 200, 7],
                "cached_tokens": [50, 0, 0],
                "completion_tokens": [10, 20, 3],
                "reasoning_tokens": [0, 0, 0],
                "cost_micros": [1_234, 5_000_001, None],
                "latency_ms": [900, 800, 10],
            },
        ),
        columns(
            "revenue.events",
            {
                "event_id": ["revenue-1"],
                "kind": ["sale"],
                "amount_micros": [2_500_000],
                "subscription_id": pl.Series([None], dtype=pl.String),
                "source": ["shop"],
                "simulated": [False],
            },
        ),
    ]


async def load(dsn: str, batches: Sequence[Batch], flush_every: int = 1) -> None:
    sink = PostgresSink(dsn, 20)
    await sink.open()
    try:
        for number, batch in enumerate(batches, 1):
            assert list(await sink.add(batch)) == []
            if number % flush_every == 0:
                await sink.flush()
        await sink.flush()
    finally:
        await sink.close()


def query(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(statement.encode()).fetchall()


def checksums(dsn: str) -> dict[str, tuple[Any, ...]]:
    """Return count and MD5 of the rows of every table, of the totals too."""
    statement = "SELECT count(*), md5(string_agg(t::text, E'\\n' ORDER BY t::text)) FROM {} AS t"
    names = [*(table.name for table in TABLES), "post_totals", "day_totals"]
    return {name: query(dsn, statement.format(name))[0] for name in names}


def drop_tables(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


async def test_the_same_batches_in_any_order_and_grouping_end_in_the_same_rows(dsn: str) -> None:
    batches = every_kind_of_batch()
    await load(dsn, batches)
    expected = checksums(dsn)
    assert all(count > 0 for count, _ in expected.values())
    for seed in range(4):
        drop_tables(dsn)
        await load(dsn, random.Random(seed).sample(batches, len(batches)), flush_every=1 + 5 * seed)
        assert checksums(dsn) == expected


async def test_a_replay_changes_nothing(dsn: str) -> None:
    batches = every_kind_of_batch()
    await load(dsn, batches)
    expected = checksums(dsn)
    await load(dsn, batches, flush_every=100)
    assert checksums(dsn) == expected


async def test_of_engagement_with_one_id_the_first_in_the_log_counts(dsn: str) -> None:
    late = engagement(0, ["a", "b"], first_offset=10, count=[7, 8])
    early = engagement(0, ["a"], first_offset=2, count=[5])
    await load(dsn, [late, early])
    assert query(dsn, "SELECT event_id, count, source_offset FROM engagement ORDER BY 1") == [("a", 5, 2), ("b", 8, 11)]


async def test_a_decided_draft_stays_decided_when_an_earlier_stage_comes_later(dsn: str) -> None:
    rejected = rows("drafts.rejected", 0, [decided(1, "rejected", reasons=("near duplicate",))])
    await load(dsn, [rejected, rows("drafts.scored", 0, [scored(1)]), rows("drafts.generated", 0, [draft(1)])])
    found = query(
        dsn, "SELECT status, score, reasons, near_duplicate_id, near_duplicate_similarity, features FROM drafts"
    )
    features = [{"name": "length", "value": 1.0, "weight": 0.5, "reason": 'a "word" \\'}]
    assert found == [("rejected", 0.75, ["near duplicate"], "draft-0", 0.97, features)]


async def test_values_arrive_as_they_were_sent(dsn: str) -> None:
    await load(dsn, every_kind_of_batch())
    assert query(dsn, "SELECT text, simulated, occurred_at FROM posts") == [('Ünï\r\n,"x" \\.', True, NOON)]
    assert query(dsn, 'SELECT event_id, request_id, cost_dollars::text FROM costs ORDER BY event_id COLLATE "C"') == [
        ("\\.", "", None),
        ("cost-1", "request-1", "0.00123400000000000000"),
        ("cost-2", None, "5.0000010000000000"),
    ]
    letter = query(dsn, "SELECT record_key, record_value, reason, headers FROM dead_letters")
    assert letter == [
        (b"\x00key", None, "got \ufffd\x01", [{"name": "trace", "value": "/w=="}, {"name": "empty", "value": None}])
    ]
    assert query(dsn, "SELECT version, definition FROM personas") == [("v2", '{"voice": "dry"}')]


async def test_kpi_history_keeps_the_latest_of_each_pane_and_the_view_the_latest_of_all(dsn: str) -> None:
    await load(dsn, every_kind_of_batch())
    assert query(dsn, "SELECT window_name, views FROM kpi_updates ORDER BY window_name, pane") == [
        ("1h", 20),
        ("1h", 40),
        ("lifetime", 5),
    ]
    assert query(dsn, "SELECT window_name, views FROM kpi_current ORDER BY 1") == [("1h", 40), ("lifetime", 5)]


async def test_daily_engagement_adds_up_by_persona_day_and_kind(dsn: str) -> None:
    simulated = engagement(1, ["c"], count=[5], simulated=True, occurred_at=[NOON_MS + 86_400_000])
    await load(dsn, [engagement(0, ["a", "b"], count=[3, 4]), simulated])
    found = query(
        dsn, "SELECT persona_id, day::text, kind, count, simulated_count, events FROM daily_engagement ORDER BY day"
    )
    assert found == [("nova", "2026-03-01", "view", 7, 0, 2), ("nova", "2026-03-02", "view", 5, 5, 1)]


async def test_records_that_postgres_cannot_hold_are_refused_and_their_neighbours_written(dsn: str) -> None:
    sink = PostgresSink(dsn, 20)
    await sink.open()
    ids = ["good", "nul\x00", "x" * 1001, "late", "also good"]
    times = [NOON_MS, NOON_MS, NOON_MS, 300_000_000_000_000, NOON_MS]
    refused = list(await sink.add(engagement(0, ids, first_offset=10, occurred_at=times)))
    request = PersonaRequest(event_id="r", occurred_at=NOON, persona_id="nova", brief="good")
    nul = replace(request, event_id="n", brief="a\x00b")
    nan = replace(scored(1), quality=replace(QUALITY, score=float("nan")))
    refused += await sink.add(rows("persona.requests", 0, [request, nul]))
    refused += await sink.add(rows("drafts.scored", 0, [nan, scored(2)]))
    await sink.flush()
    await sink.close()
    assert sorted((rejection.offset, str(rejection.fault).split(":")[1].split(";")[0]) for rejection in refused) == [
        (0, " quality.score is nan, not a finite number"),
        (1, " brief holds a NUL character"),
        (11, " event_id holds a NUL character"),
        (12, " event_id is longer than 1000 bytes"),
        (13, " occurred_at is outside the years 1 to 9999"),
    ]
    assert query(dsn, "SELECT event_id FROM engagement ORDER BY 1") == [("also good",), ("good",)]
    assert query(dsn, "SELECT count(*) FROM requests") == query(dsn, "SELECT count(*) FROM drafts") == [(1,)]


async def test_a_partition_that_went_away_is_not_written(dsn: str) -> None:
    sink = PostgresSink(dsn, 20)
    await sink.open()
    await sink.add(engagement(0, ["mine"]))
    await sink.add(engagement(1, ["another's"]))
    await sink.drop(TopicPartition("engagement.events", 1))
    await sink.flush()
    await sink.close()
    assert query(dsn, "SELECT event_id FROM engagement") == [("mine",)]
