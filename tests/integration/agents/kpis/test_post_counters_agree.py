"""PostgreSQL and the kpis role count posts alike: the same events, repetitions and late ones among them."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psycopg
import pytest

from agents.kpis.fold import FoldStage
from agents.kpis.formulas import are_viral
from agents.kpis.merge import MergePart, MergeStage
from agents.kpis.partials import TOPIC as PARTIALS
from schemas.codec.columns import ColumnCodec
from schemas.engagement import POST_COUNTERS
from schemas.records import KpiUpdate
from schemas.registries.registry import open_registry
from sinks.postgres.sink import PostgresSink
from streams.engine.batch import ColumnBatch, FetchedRecord, Row, RowBatch, TopicPartition
from streams.state.duplicates import DuplicateFilter
from tests.support.engagement_log import NOON_MS, Log
from tests.support.single_outputs import single
from tests.support.stage_driver import DrivenStage

HORIZON, MERGE_PARTITIONS = 1_000_000, 2
DAY_MS = 86_400_000
KINDS = ("view", "view", "view", "like", "reply", "repost", "quote", "share", "click", "follow", "follower_change")

PostCounts = dict[tuple[str, str], tuple[int, ...]]


@dataclass(frozen=True)
class Counted:
    """Counters of each post in the order of POST_COUNTERS, and the number of viral posts of each persona."""

    posts: PostCounts
    viral: Counter[str]


async def nothing(source: TopicPartition, start: int, end: int) -> AsyncIterator[Sequence[FetchedRecord]]:
    for _ in range(0):
        yield []


class KpisRole:
    """Fold, duplicate filter and merge, one after the other, as the worker chains them."""

    def __init__(self) -> None:
        self._columns = ColumnCodec(open_registry(None))
        self._fold = DrivenStage(FoldStage(MERGE_PARTITIONS, clock_ms=lambda: NOON_MS))
        self._merge = DrivenStage(MergeStage(clock_ms=lambda: NOON_MS))
        self._partials: dict[int, list[Row[Any]]] = defaultdict(list)

    async def count(self, batches: Sequence[ColumnBatch]) -> Counted:
        filters = {}
        for source in {batch.source for batch in batches}:
            await self._fold.restore(source, ())
            filters[source] = DuplicateFilter(source, HORIZON, self._columns, nothing)
            await filters[source].warm_up(0)
        for batch in batches:
            await self._fold.add(filters[batch.source].without_repetitions(batch))
            for output in single((await self._fold.flush()).outputs):
                assert output.partition is not None
                rows = self._partials[output.partition]
                rows.append(Row(len(rows), output.record))
        for partition, rows in self._partials.items():
            source = TopicPartition(PARTIALS, partition)
            await self._merge.restore(source, ())
            assert not await self._merge.add(RowBatch(source, rows))
        told = [output.record for output in single((await self._merge.flush()).outputs)]
        lifetime = [update for update in told if isinstance(update, KpiUpdate) and update.window == "lifetime"]
        return Counted(self._posts(), Counter({each.persona_id: each.viral_posts or 0 for each in lifetime}))

    def _posts(self) -> PostCounts:
        return {
            (persona, post): tuple(values.tolist())
            for part in self._merge.parts.values()
            if isinstance(part, MergePart)
            for persona, post, values in part.counters.posts.items()
        }


async def in_postgres(dsn: str, batches: Sequence[ColumnBatch]) -> Counted:
    sink = DrivenStage(PostgresSink(dsn, 30))
    await sink.open()
    try:
        for batch in batches:
            await sink.add(batch)
            await sink.flush()
    finally:
        await sink.close()
    posts = query(dsn, f"SELECT persona_id, post_id, {', '.join(POST_COUNTERS)} FROM post_kpis")
    viral = query(dsn, "SELECT persona_id, count(*) FILTER (WHERE viral) FROM post_kpis GROUP BY 1")
    return Counted({(persona, post): tuple(map(int, counts)) for persona, post, *counts in posts}, Counter(dict(viral)))


def query(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(statement.encode()).fetchall()


async def both(dsn: str, batches: Sequence[ColumnBatch]) -> tuple[Counted, Counted]:
    return await asyncio.gather(KpisRole().count(batches), in_postgres(dsn, batches))


async def test_repeated_and_late_events_count_alike_in_both(dsn: str, seed: int) -> None:
    random_ = random.Random(seed)
    log = Log()
    sent: list[tuple[int, dict[str, Any]]] = []
    for number in range(5_000):
        age_ms = random_.randrange(400 * DAY_MS) if random_.random() < 0.05 else random_.randrange(DAY_MS)
        event = {
            "event_id": f"event-{number}",
            "persona_id": random_.choice(["ada", "nova", "rex"]),
            "post_id": random_.choice([None, *(f"p{post}" for post in range(40))]),
            "kind": random_.choice(KINDS),
            "count": random_.randrange(12),
            "occurred_at": NOON_MS - age_ms,
        }
        sent.append((random_.randrange(3), event))
        for partition, each in [sent[-1], *([random_.choice(sent)] if random_.random() < 0.05 else [])]:
            log.engage(partition, **each)
    role, rows = await both(dsn, log.batches(size=700))
    assert len(rows.posts) == 120
    assert role == rows


async def test_the_real_archive_counts_alike_in_both(dsn: str, upworthy_csv: Path, seed: int) -> None:
    random_ = random.Random(seed)
    log = Log()
    table = pl.read_csv(upworthy_csv, columns=["test_id", "impressions", "clicks"])
    for number, (test, impressions, clicks) in enumerate(table.iter_rows()):
        for kind, count in (("view", impressions), ("click", clicks), ("like", 3 * clicks)):  # some are viral then
            event = {"event_id": f"{number}-{kind}", "post_id": f"{test}-{number}", "kind": kind, "count": count}
            for _ in range(2 if random_.random() < 0.01 else 1):
                log.engage(number % 3, occurred_at=NOON_MS - number * DAY_MS // 24, **event)
    role, rows = await both(dsn, log.batches(size=10_000))
    assert len(rows.posts) == len(table)
    assert rows.viral["ada"] > 0
    assert role == rows


@pytest.mark.parametrize("views", [0, 1, 99, 100, 101, 109, 110, 1_000, 1_009, 999_999, 10**9, 10**12 + 7, 2**49])
async def test_viral_is_the_same_on_both_sides_of_the_threshold(dsn: str, views: int) -> None:
    log = Log()
    engagements = sorted({max(views // 10 + more, 0) for more in (-1, 0, 1)})
    for number in engagements:
        log.engage(event_id=f"view-{number}", post_id=f"{number}", count=views)
        log.engage(event_id=f"like-{number}", post_id=f"{number}", kind="like", count=number)
    _, rows = await both(dsn, log.batches())
    found = query(dsn, "SELECT engagements::bigint, viral FROM post_kpis ORDER BY 1")
    formula = are_viral(np.array(engagements), np.full(len(engagements), views)).tolist()
    assert found == list(zip(engagements, formula, strict=True))
    assert rows.viral["ada"] == sum(formula)
