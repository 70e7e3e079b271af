"""Totals of posts and days, brought up to date in the transaction that changes the facts they count."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import polars as pl
from psycopg import AsyncConnection

from schemas.engagement import ENGAGING_KINDS, POST_COUNTER_OF, POST_COUNTERS
from sinks.postgres.connection import exchange
from sinks.postgres.frames import copy_in, copy_out
from sinks.postgres.post_sums import day_sums, of_posts, placed, post_sums, with_first_day
from sinks.postgres.statements import filled
from sinks.postgres.table import Changes

_STARTS = {"number": pl.UInt32, "counted_from": pl.Int64, "is_published": pl.Int8}
_POST = ("persona_id", "post_id")


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
