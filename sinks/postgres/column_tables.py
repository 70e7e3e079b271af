"""Column tables: frames of high-volume topics through COPY, and the totals of posts and days that follow from them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, fields
from functools import cache

import polars as pl
import psycopg
from psycopg import AsyncConnection

from schemas.catalogue import topic_named
from schemas.engagement import ENGAGING_KINDS, POST_COUNTER_OF, POST_COUNTERS
from sinks.postgres.connection import exchange
from sinks.postgres.table import PLACE, Changes, as_csv, copy_in, copy_out, filled, send
from streams.engine.batch import Batch, ColumnBatch
from streams.replaying.ahead import ahead

CHUNK_RECORDS = 50_000  # a COPY of these takes under a second; bounds memory and the time of one statement
_EARLIER = (pl.col("source_partition") < pl.col("source_partition_known")) | (
    (pl.col("source_partition") == pl.col("source_partition_known"))
    & (pl.col("source_offset") < pl.col("source_offset_known"))
)
_KNOWN = {"event_id": pl.String, "source_partition": pl.Int32, "source_offset": pl.Int64}
_TOLD_TYPES = {"count": pl.Int64, "simulated": pl.Int8, "occurred_at": pl.Int64}  # others are text
_TOLD_AS = {
    "simulated": "later.simulated::integer AS simulated",
    "occurred_at": "(extract(epoch FROM later.occurred_at) * 1000)::bigint AS occurred_at",
}  # others as they are
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
_STARTS = {"number": pl.UInt32, "counted_from": pl.Int64, "is_published": pl.Int8}
_POST = ("persona_id", "post_id")
_DAY = ("persona_id", "day", "kind", "simulated")
_SIGN, _KIND, _AT, _START = pl.col("sign"), pl.col("kind"), pl.col("occurred_at"), pl.col("counted_from")
_IS_TOTAL = pl.col("basis") == "total"  # of the post's life so far, whenever it came
_AMOUNT = pl.col("count").cast(pl.Int128) * _SIGN  # one count may be 2^63 - 1


@dataclass(frozen=True, slots=True)
class ColumnTable:
    """A table of events whose columns are the fields of the topic's record, besides where they came from.

    `told` are the columns that totals are made of: `write` returns them of every row that it adds, replaces or is
    replaced.
    """

    name: str
    topic: str
    told: tuple[str, ...] = ()

    @property
    def topics(self) -> tuple[str, ...]:
        """Return the one topic."""
        return (self.topic,)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the fields of the topic's record, which are columns by the same names."""
        return tuple(field.name for field in fields(topic_named(self.topic).record))

    @property
    def statements(self) -> Mapping[str, bytes]:
        """Return the statements of this table; see sql/facts.sql."""
        columns = (*self.columns, *PLACE)
        told = ("event_id", *self.told)
        return filled(
            "facts.sql",
            table=self.name,
            columns=", ".join(columns),
            assignments=",\n        ".join(f"{name} = staged.{name}" for name in columns if name != "event_id"),
            told=", ".join(told),
            told_before=",\n        ".join(_TOLD_AS.get(name, f"later.{name}") for name in told),
        )

    async def write(self, connection: AsyncConnection, batches: Sequence[Batch], timeout_s: float) -> Changes:
        """Insert the new events of all batches; of several with one id the first in the log stays."""
        changes = []
        async with aclosing(ahead(self._written(batches))) as chunks:
            async for chunk, text in chunks:
                with exchange(connection, f"write {len(chunk)} rows of {self.name}", timeout_s):
                    changes += await self._load(connection, chunk, text)
        return pl.concat(changes)

    async def _written(self, batches: Sequence[Batch]) -> AsyncGenerator[tuple[pl.DataFrame, memoryview], None]:
        """Yield chunks with their text for COPY, each written while the server loads the one before."""
        for chunk in self._chunks(batches):
            yield chunk, await asyncio.to_thread(as_csv, _with_times(chunk))

    def _chunks(self, batches: Sequence[Batch]) -> Iterator[pl.DataFrame]:
        """Yield the rows in the order of their event_id, of each the first in the log."""
        rows = (
            pl.concat([self._rows(batch) for batch in batches if isinstance(batch, ColumnBatch)])
            .sort("event_id", *PLACE)
            .unique(subset="event_id", keep="first", maintain_order=True)
        )
        yield from rows.iter_slices(CHUNK_RECORDS)

    def _rows(self, batch: ColumnBatch) -> pl.DataFrame:
        return batch.frame.select(
            *self.columns,
            pl.lit(batch.source.partition, dtype=pl.Int32).alias("source_partition"),
            pl.col("offset").alias("source_offset"),
        )

    async def _load(self, connection: AsyncConnection, chunk: pl.DataFrame, text: memoryview) -> list[Changes]:
        """Copy a chunk; only where the table has some of it already ask which, so that new events need not wait."""
        fresh, kept = chunk, chunk.clear()
        while not await self._insert(connection, text):
            known = await self._known(connection, chunk)
            fresh = chunk.join(known, on="event_id", how="anti", maintain_order="left")
            kept = chunk.join(known, on="event_id", suffix="_known", maintain_order="left").filter(_EARLIER)
            text = as_csv(_with_times(fresh))
        changes = [self._changes(fresh, sign=1)]
        if not kept.is_empty():
            changes += await self._replace(connection, kept.select(chunk.columns))
        return changes

    async def _known(self, connection: AsyncConnection, chunk: pl.DataFrame) -> pl.DataFrame:
        sql = self.statements
        await connection.execute(sql["stage_ids"])
        await connection.execute(sql["clear_ids"])
        await copy_in(connection, sql["copy_ids"], chunk.select("event_id"))
        return await copy_out(connection, sql["known"], _KNOWN)

    async def _insert(self, connection: AsyncConnection, text: memoryview) -> bool:
        """Copy rows into the table, all or, where it has one of them, none; another worker may have just written it."""
        try:
            async with connection.transaction():  # a savepoint: the sink has begun
                await send(connection, self.statements["copy"], text)
        except psycopg.errors.UniqueViolation:
            return False
        return True

    async def _replace(self, connection: AsyncConnection, rows: pl.DataFrame) -> list[Changes]:
        sql = self.statements
        await connection.execute(sql["stage"])
        await connection.execute(sql["clear"])
        await copy_in(connection, sql["copy_staged"], _with_times(rows))
        told = {"event_id": pl.String, **{name: _TOLD_TYPES.get(name, pl.String) for name in self.told}}
        before = await copy_out(connection, sql["replace"], told)
        now = rows.join(before, on="event_id", how="semi")
        return [self._changes(before, sign=-1), self._changes(now, sign=1)]

    def _changes(self, rows: pl.DataFrame, *, sign: int) -> Changes:
        columns = (pl.col(name).cast(_TOLD_TYPES.get(name, pl.String)) for name in self.told)
        return rows.select(*columns, pl.lit(sign, dtype=pl.Int8).alias("sign"))


def _with_times(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.from_epoch("occurred_at", time_unit="ms"))


ENGAGEMENT = ColumnTable(
    "engagement",
    "engagement.events",
    told=("persona_id", "post_id", "kind", "count", "basis", "simulated", "occurred_at"),
)
POSTS = ColumnTable("posts", "posts.published", told=("persona_id", "post_id"))
COSTS = ColumnTable("costs", "cost.events")
REVENUE = ColumnTable("revenue", "revenue.events")

COLUMN_TABLES = (ENGAGEMENT, POSTS, COSTS, REVENUE)


@cache
def totals_statements() -> Mapping[str, bytes]:
    """Return the statements of sql/totals.sql, kinds and counters filled in."""
    return filled(
        "totals.sql",
        counters=", ".join(POST_COUNTERS),
        counter_sums=",\n    ".join(f"{name} = kept.{name} + EXCLUDED.{name}" for name in POST_COUNTERS),
        post_kinds=", ".join(f"'{kind}'" for kind in POST_COUNTER_OF),
        engaging_kinds=", ".join(f"'{kind}'" for kind in ENGAGING_KINDS),
    )


async def bring_up_to_date(
    connection: AsyncConnection, engagement: Changes | None, posts: Changes | None, timeout_s: float
) -> None:
    """Add what the open transaction changed in `engagement` and `posts` to day_totals and post_totals.

    The last step of a transaction: rows are locked in the order of their keys, and until the commit only. A worker that
    waited for another's row finds it changed, and sums the post's first day again from the facts.
    """
    if engagement is None and posts is None:
        return
    with exchange(connection, "bring the totals of posts and days up to date", timeout_s):
        sql = totals_statements()
        await connection.execute(sql["stage"])
        if engagement is not None and not engagement.is_empty():
            await _add_days(connection, engagement)
        if posts is not None and not posts.is_empty():
            await copy_in(connection, sql["copy_published"], posts.select(_POST).unique())
            await connection.execute(sql["publish"])
        if engagement is not None:
            await _add_posts(connection, of_posts(engagement))
        for step in ("locate", "forget", "settle"):
            await connection.execute(sql[step])


async def _add_days(connection: AsyncConnection, changes: Changes) -> None:
    sql = totals_statements()
    await copy_in(connection, sql["copy_days"], day_sums(changes))
    await connection.execute(sql["add_days"])
    await connection.execute(sql["forget_days"])


async def _add_posts(connection: AsyncConnection, changes: Changes) -> None:
    if changes.is_empty():
        return
    sql = totals_statements()
    sums = post_sums(changes)
    await copy_in(connection, sql["copy_touched"], sums.select("number", *_POST))
    starts = await copy_out(connection, sql["starts"], _STARTS)
    await copy_in(connection, sql["copy_posts"], with_first_day(placed(sums, starts), changes))
    await connection.execute(sql["add_posts"])


def day_sums(changes: Changes) -> pl.DataFrame:
    """Return what changes by persona, UTC day, kind and mark: columns of staged_day_totals, in the order of the key."""
    day = pl.from_epoch("occurred_at", time_unit="ms").dt.date().alias("day")
    sums = changes.group_by("persona_id", day, "kind", "simulated").agg(
        _AMOUNT.sum().alias("count"), _SIGN.cast(pl.Int64).sum().alias("events")
    )
    return sums.filter((pl.col("count") != 0) | (pl.col("events") != 0)).sort(_DAY)


def of_posts(changes: Changes) -> Changes:
    """Return the changes that count for a post."""
    return changes.filter(pl.col("post_id").is_not_null(), _KIND.is_in(list(POST_COUNTER_OF)))


def post_sums(changes: Changes) -> pl.DataFrame:
    """Return a row for each post of `of_posts`: number, id, first_at (ms), stale, and sums over all time.

    Rows are in the order of the key and `number` counts them. A post that an event was taken from is stale: where its
    first hour and its first day begin is not known from the changes.
    """
    sign = _SIGN.cast(pl.Int64)
    sums = changes.group_by(_POST).agg(
        _AT.min().alias("first_at"),
        (_SIGN.min() < 0).alias("stale"),
        sign.sum().alias("events"),
        (sign * pl.col("simulated")).sum().alias("simulated_events"),
        (sign * _IS_TOTAL).sum().alias("total_events"),
        *(_AMOUNT.filter(_KIND.eq(kind)).sum().alias(counter) for kind, counter in POST_COUNTER_OF.items()),
    )
    return sums.sort(_POST).with_row_index("number")


def placed(sums: pl.DataFrame, starts: pl.DataFrame) -> pl.DataFrame:
    """Return the sums with counted_from (ms), given the starts of posts there are: number, counted_from, is_published.

    A post counts from its publication, or while that is not known from its first event.
    """
    first = pl.min_horizontal("counted_from", "first_at")
    known = pl.when(pl.col("is_published") == 1).then(_START).otherwise(first)
    return sums.join(starts, on="number", how="left", maintain_order="left").with_columns(
        pl.coalesce(known, "first_at").alias("counted_from")
    )


def with_first_day(posts: pl.DataFrame, changes: Changes) -> pl.DataFrame:
    """Return placed sums with those of the first hour and the first day: the columns of staged_post_totals.

    Totals so far are in neither: they tell nothing of when it was.
    """
    since_start = _AT - _START
    timed = changes.filter(~_IS_TOTAL).join(posts.select(*_POST, "counted_from"), on=_POST)
    early = timed.filter(since_start >= 0, since_start < DAY_MS)
    in_first_hour, is_view, engages = since_start < HOUR_MS, _KIND == "view", _KIND.is_in(ENGAGING_KINDS)
    sums = early.group_by(_POST).agg(
        _AMOUNT.filter(is_view & in_first_hour).sum().alias("first_hour_views"),
        _AMOUNT.filter(engages & in_first_hour).sum().alias("first_hour_engagements"),
        _AMOUNT.filter(is_view).sum().alias("first_day_views"),
        _AMOUNT.filter(engages).sum().alias("first_day_engagements"),
    )
    names = [name for name in sums.columns if name not in _POST]
    return posts.join(sums, on=_POST, how="left", maintain_order="left").select(
        *_POST,
        pl.from_epoch("counted_from", time_unit="ms"),
        pl.lit(value=False).alias("is_published"),
        "stale",
        "events",
        "simulated_events",
        "total_events",
        *POST_COUNTERS,
        *(pl.col(name).fill_null(0) for name in names),
    )
