"""KPIs by post and day in PostgreSQL: what a naive count of the log gives, however the records came."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
import pytest

from schemas.engagement import ENGAGING_KINDS, POST_COUNTER_OF
from sinks.postgres.connection import connect
from sinks.postgres.migrations import migrate, migrations
from sinks.postgres.sink import PostgresSink
from streams.engine.batch import Batch, TopicPartition
from streams.errors import Unavailable
from tests.support.engagement_log import NOON_MS, Log, Row
from tests.support.postgres_tables import query
from tests.support.stage_driver import DrivenStage

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
KINDS = (*POST_COUNTER_OF, "follower_change")
DEADLINE_S = 30.0


def expected_posts(log: Log) -> dict[tuple[str, str], Row]:
    """Count naively: for each post its start, its counters, its first hour and its first day."""
    published: dict[tuple[str, str], int] = {}
    for row in log.facts("posts.published"):
        key = (row["persona_id"], row["post_id"])
        published[key] = min(published.get(key, row["occurred_at"]), row["occurred_at"])
    events: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in log.facts("engagement.events"):
        if row["post_id"] is not None and row["kind"] in POST_COUNTER_OF:
            events[row["persona_id"], row["post_id"]].append(row)
    return {key: expected_post(published.get(key), events.get(key, [])) for key in published.keys() | events.keys()}


def expected_post(published: int | None, events: Sequence[Row]) -> Row:
    start = published if published is not None else min(row["occurred_at"] for row in events)

    def total(kinds: Iterable[str], span_ms: int | None = None) -> int:
        inside = [row for row in events if span_ms is None or 0 <= row["occurred_at"] - start < span_ms]
        told = [row for row in inside if span_ms is None or row["basis"] != "total"]
        return sum(row["count"] for row in told if row["kind"] in kinds)

    early = {
        "first_hour_views": total(["view"], HOUR_MS),
        "first_hour_engagements": total(ENGAGING_KINDS, HOUR_MS),
        "first_day_views": total(["view"], DAY_MS),
        "first_day_engagements": total(ENGAGING_KINDS, DAY_MS),
    }
    only_totals = any(row["basis"] == "total" for row in events) and not any(
        early[f"first_day_{what}"] for what in ("views", "engagements")
    )

    return {
        "start": start,
        "from": "first engagement" if published is None else "publication",
        **{counter: total([kind]) for kind, counter in POST_COUNTER_OF.items()},
        **(dict.fromkeys(early) if only_totals else early),
        "events": len(events),
        "simulated_events": sum(row["simulated"] for row in events),
    }


def found_posts(dsn: str) -> dict[tuple[str, str], Row]:
    names = ["start", "from", *POST_COUNTER_OF.values()]
    early = [f"first_{span}_{what}" for span in ("hour", "day") for what in ("views", "engagements")]
    names += [*early, "events", "simulated_events"]
    columns = ", ".join(["(extract(epoch FROM published_at) * 1000)::bigint", "published_at_from", *names[2:]])
    rows = query(dsn, f"SELECT persona_id, post_id, {columns} FROM post_kpis")
    return {(persona, post): dict(zip(names, values, strict=True)) for persona, post, *values in rows}


def expected_days(log: Log) -> dict[tuple[Any, ...], tuple[int, int, int]]:
    days: dict[tuple[Any, ...], tuple[int, int, int]] = defaultdict(lambda: (0, 0, 0))
    for row in log.facts("engagement.events"):
        key = (row["persona_id"], row["occurred_at"] // DAY_MS, row["kind"])
        count, simulated, events = days[key]
        days[key] = count + row["count"], simulated + row["count"] * row["simulated"], events + 1
    return dict(days)


def found_days(dsn: str) -> dict[tuple[Any, ...], tuple[int, int, int]]:
    rows = query(
        dsn, "SELECT persona_id, day - '1970-01-01'::date, kind, count, simulated_count, events FROM daily_engagement"
    )
    return {(persona, day, kind): (count, simulated, events) for persona, day, kind, count, simulated, events in rows}


async def load(dsn: str, batches: Sequence[Batch], random_: random.Random | None = None) -> None:
    """Write batches, with flushes at random places, or one at the end."""
    sink = DrivenStage(PostgresSink(dsn, 20))
    await sink.open()
    try:
        for batch in batches:
            await sink.add(batch)
            if random_ and random_.random() < 0.5:
                await flushed(sink)
        await flushed(sink)
    finally:
        await sink.close()


async def flushed(sink: DrivenStage[PostgresSink]) -> None:
    """Flush until the server takes it, as the loop does: workers may meet."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                await sink.flush()
            except Unavailable:
                continue
            return


def random_log(random_: random.Random, events: int = 400, bases: Sequence[str] = ("event",)) -> Log:
    """Draw events of few posts, some late, some repeated on other partitions with other values, and publications."""
    log = Log()
    ids = [f"event-{number}" for number in range(events)]
    for event_id in random_.choices(ids, k=events):
        log.engage(
            random_.randrange(3),
            event_id=event_id,
            persona_id=random_.choice(["ada", "nova"]),
            post_id=random_.choice(["p1", "p2", 'p,"3"', "\\.", None]),
            kind=random_.choice(KINDS),
            count=random_.choice([0, 1, 5, 2**62]),
            basis=random_.choice(bases),
            occurred_at=NOON_MS + random_.randrange(-400 * DAY_MS if random_.random() < 0.1 else 0, 2 * DAY_MS),
            simulated=random_.random() < 0.2,
        )
    for _ in range(random_.randrange(6)):
        log.publish(
            random_.randrange(2),
            event_id=random_.choice(["published-1", "published-2", "published-3"]),
            post_id=random_.choice(["p1", "p2", "p4"]),
            occurred_at=NOON_MS + random_.randrange(-DAY_MS, DAY_MS),
        )
    return log


@pytest.mark.parametrize("run", range(6))
async def test_totals_are_those_of_a_naive_count_in_any_order_grouping_and_replay(
    dsn: str, seed: int, run: int
) -> None:
    random_ = random.Random(seed + run)
    log = random_log(random_, bases=("event",) if run % 2 else ("event", "total", "total", "correction"))
    batches = log.batches(size=random_.choice([1, 20, 1_000]))
    again = random_.sample(batches, len(batches) // 2)
    await load(dsn, random_.sample(batches, len(batches)) + again, random_)
    assert found_posts(dsn) == expected_posts(log)
    assert found_days(dsn) == expected_days(log)
    assert query(dsn, "SELECT count(*) FROM post_totals WHERE stale OR counted_from IS NULL") == [(0,)]


@pytest.mark.timeout(120)
async def test_workers_that_write_the_same_posts_at_once_lose_nothing(dsn: str, seed: int) -> None:
    random_ = random.Random(seed)
    log = random_log(random_, events=1_500)
    by_source: dict[TopicPartition, list[Batch]] = defaultdict(list)
    for batch in log.batches(size=60):
        by_source[batch.source].append(batch)
    workers = [load(dsn, batches, random.Random(seed + n)) for n, batches in enumerate(by_source.values())]
    await asyncio.gather(*workers)
    assert found_posts(dsn) == expected_posts(log)
    assert found_days(dsn) == expected_days(log)


async def test_a_publication_that_comes_after_the_engagement_moves_the_first_hour(dsn: str) -> None:
    engaged, published = Log(), Log()
    for minutes in (0, 30, 59, 61, 24 * 60 + 29, 24 * 60 + 31):
        engaged.engage(occurred_at=NOON_MS + minutes * MINUTE_MS)
    await load(dsn, engaged.batches())
    first = "SELECT first_hour_views, first_day_views, first_day_growth, published_at_from FROM post_kpis"
    assert query(dsn, first) == [(3, 4, 1 / 3, "first engagement")]
    published.publish(occurred_at=NOON_MS + 30 * MINUTE_MS)
    await load(dsn, published.batches())
    assert query(dsn, first) == [(3, 4, 1 / 3, "publication")]


async def test_first_hour_and_first_day_end_to_the_millisecond(dsn: str) -> None:
    log = Log()
    log.publish(occurred_at=NOON_MS + 123)
    for at in (122, 123, 122 + HOUR_MS, 123 + HOUR_MS, 122 + DAY_MS, 123 + DAY_MS):
        log.engage(occurred_at=NOON_MS + at)
        log.engage(occurred_at=NOON_MS + at, kind="like", count=2)
    await load(dsn, log.batches())
    columns = "first_hour_views, first_hour_engagements, first_day_views, first_day_engagements, views, engagements"
    assert query(dsn, f"SELECT {columns} FROM post_kpis") == [(2, 4, 4, 8, 6, 12)]


async def test_a_late_event_of_last_year_appears_on_its_day_and_in_its_post(dsn: str) -> None:
    log = Log()
    log.engage(event_id="late", occurred_at=NOON_MS - 365 * DAY_MS, count=7)
    log.engage(event_id="now", count=2)
    for _ in range(2):
        await load(dsn, log.batches())
    assert query(dsn, "SELECT day::text, views FROM daily_kpis ORDER BY day") == [("2025-03-01", 7), ("2026-03-01", 2)]
    assert query(dsn, "SELECT views, first_day_views FROM post_kpis") == [(9, 7)]


async def test_totals_so_far_leave_the_first_hour_and_day_empty_and_corrections_are_taken_off(dsn: str) -> None:
    log = Log()
    log.engage(basis="total", count=100)
    log.engage(basis="total", count=-30)
    log.engage(basis="total", count=4, kind="like")
    log.engage(post_id="p2", count=100)
    log.engage(post_id="p2", count=-30, basis="correction")
    log.engage(post_id="p2", count=500, basis="total")
    await load(dsn, log.batches())
    early = "first_hour_views, first_hour_engagements, first_day_views, first_day_growth"
    assert query(dsn, f"SELECT views, likes, {early} FROM post_kpis ORDER BY post_id") == [
        (70, 4, None, None, None, None),
        (570, 0, 70, 0, 70, 0),
    ]


async def test_the_day_is_that_of_utc(dsn: str) -> None:
    log = Log()
    for at in (12 * HOUR_MS - 1, 12 * HOUR_MS):
        log.engage(occurred_at=NOON_MS + at)
    await load(dsn, log.batches())
    assert query(dsn, "SELECT day::text, views FROM daily_kpis ORDER BY 1") == [("2026-03-01", 1), ("2026-03-02", 1)]


async def test_a_post_without_engagement_has_zeros_and_no_ratio(dsn: str) -> None:
    log = Log()
    log.publish()
    await load(dsn, log.batches())
    found = query(dsn, "SELECT views, engagement_rate, viral, first_day_growth, published_at_from FROM post_kpis")
    assert found == [(0, None, False, None, "publication")]


@pytest.mark.parametrize("run", range(2))
async def test_totals_of_tables_that_were_there_before_are_counted_by_the_migration(
    dsn: str, seed: int, run: int
) -> None:
    log = random_log(random.Random(seed + run))
    await load(dsn, log.batches())
    expected = found_posts(dsn), found_days(dsn)
    with psycopg.connect(dsn) as connection:
        for view in ("post_kpis", "daily_kpis"):
            connection.execute(f"DROP VIEW {view}".encode())
        connection.execute("DROP VIEW daily_engagement")
        connection.execute("DROP TABLE post_totals, day_totals")
        connection.execute("DROP INDEX engagement_by_post")
        connection.execute(
            "CREATE VIEW daily_engagement AS SELECT persona_id, NULL::date AS day, kind, "
            "0::numeric AS count, 0::numeric AS simulated_count, 0::bigint AS events FROM engagement"
        )
        connection.execute("DELETE FROM schema_migrations WHERE version >= 4")  # what later ones made stays
    connection_ = await connect(dsn, 20)
    try:
        assert [each.version for each in await migrate(connection_, 20, migrations()[:4])] == [4]
    finally:
        await connection_.close()
    assert (found_posts(dsn), found_days(dsn)) == expected
