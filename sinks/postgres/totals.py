"""Totals of posts and days, brought up to date in the transaction that changes the facts they count."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import polars as pl
from psycopg import AsyncConnection

from schemas.engagement import ENGAGING_KINDS, POST_COUNTER_OF, POST_COUNTERS
from sinks.postgres.connection import exchange
from sinks.postgres.frames import copy_in, copy_out
from sinks.postgres.statements import filled
from sinks.postgres.table import Changes

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
_STARTS = {"number": pl.UInt32, "counted_from": pl.Int64, "is_published": pl.Int8}
_POST = ("persona_id", "post_id")
_DAY = ("persona_id", "day", "kind", "simulated")
_SIGN, _KIND, _AT, _START = pl.col("sign"), pl.col("kind"), pl.col("occurred_at"), pl.col("counted_from")
_IS_TOTAL = pl.col("basis") == "total"  # of the post's life so far, whenever it came
_AMOUNT = pl.col("count").cast(pl.Int128) * _SIGN  # one count may be 2^63 - 1


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
