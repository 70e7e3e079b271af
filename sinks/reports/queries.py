"""Queries: what the commands read from PostgreSQL, one statement each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from schemas.engagement import POST_COUNTERS
from sinks.postgres.connection import postgres_dsn, reason_of
from streams.errors import ThreadsError, Unavailable
from streams.postgres_session import PostgresSession, read_statements
from streams.settings import Settings

Found = dict[str, Any]


class NoTables(ThreadsError):
    """The Postgres sink has not made its tables in this database yet."""


def report(
    settings: Settings, name: str, parameters: Mapping[str, object] | None = None, *, file: str = "reports.sql"
) -> list[Found]:
    """Run a statement of a file in sql/ and return its rows; sums that are whole come as int.

    It runs an event loop of its own, so the thread must have none.

    Raises:
        NoTables: the sink never ran on this database.
        Unavailable: the server does not answer.
    """
    try:
        return asyncio.run(_rows(postgres_dsn(settings), settings.io_timeout_s, statement(file, name), parameters))
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        raise NoTables(
            "the database has no tables yet, or those of an older version: start the stack with `threads-agent up`, "
            "or the sink alone with `threads-agent worker sink-postgres`"
        ) from error
    except psycopg.OperationalError as error:
        raise Unavailable(
            f"PostgreSQL does not answer: {reason_of(error)}; see `threads-agent status` and THREADS_POSTGRES_DSN"
        ) from error


async def _rows(dsn: str, timeout_s: float, sql: bytes, parameters: Mapping[str, object] | None) -> list[Found]:
    session = PostgresSession(dsn, timeout_s)
    try:
        async with session.transaction(read_only=True) as connection:
            return await found_by(connection, sql, parameters)
    finally:
        await session.close()


async def found_by(connection: AsyncConnection, sql: bytes, parameters: Mapping[str, object] | None) -> list[Found]:
    """Run a statement in a transaction that has begun, and return its rows; sums that are whole come as int."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        rows = await (await cursor.execute(sql, parameters)).fetchall()
    return [{key: _plain(value) for key, value in row.items()} for row in rows]


@cache
def statement(file: str, name: str) -> bytes:
    """Return a statement of a file in sql/, with the counters of posts and the parts of sql/parts.sql filled in."""
    sums = ", ".join(f"coalesce(sum(stood.{each}), 0) AS {each}" for each in POST_COUNTERS)
    filled = {
        b"{post_counters}": ", ".join(POST_COUNTERS).encode(),
        b"{post_counter_sums}": sums.encode(),
        **{b"{%s}" % part.encode(): sql for part, sql in read_statements("sinks.reports", "sql", "parts.sql").items()},
    }
    text = read_statements("sinks.reports", "sql", file)[name]
    for mark, sql in filled.items():
        text = text.replace(mark, sql)
    return text


def _plain(value: object) -> object:
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value
