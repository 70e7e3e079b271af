"""Totals of posts and days, brought up to date in the transaction that changes the facts they count."""

from __future__ import annotations

import polars as pl
from psycopg import AsyncConnection

from sinks.postgres.connection import exchange
from sinks.postgres.frames import copy_in, copy_out
from sinks.postgres.post_sums import day_sums, of_posts, placed, post_sums, with_first_day
from sinks.postgres.statements import statements
from sinks.postgres.table import Changes

_STARTS = {"number": pl.UInt32, "counted_from": pl.Int64, "is_published": pl.Int8}
_POST = ("persona_id", "post_id")


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
        sql = statements("totals.sql")
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
    sql = statements("totals.sql")
    await copy_in(connection, sql["copy_days"], day_sums(changes))
    await connection.execute(sql["add_days"])
    await connection.execute(sql["forget_days"])


async def _add_posts(connection: AsyncConnection, changes: Changes) -> None:
    if changes.is_empty():
        return
    sql = statements("totals.sql")
    sums = post_sums(changes)
    await copy_in(connection, sql["copy_touched"], sums.select("number", *_POST))
    starts = await copy_out(connection, sql["starts"], _STARTS)
    await copy_in(connection, sql["copy_posts"], with_first_day(placed(sums, starts), changes))
    await connection.execute(sql["add_posts"])
