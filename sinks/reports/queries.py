"""Queries: what the commands read from PostgreSQL, one statement each."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import dict_row

from schemas.engagement import POST_COUNTERS
from sinks.postgres.connection import CONNECT_TIMEOUT_S, postgres_dsn, reason_of
from streams.errors import ThreadsError, Unavailable
from streams.postgres_session import begin, startup
from streams.settings import Settings
from streams.sql_file import read_statements

Found = dict[str, Any]


class NoTables(ThreadsError):
    """The Postgres sink has not made its tables in this database yet."""


def report(
    settings: Settings, name: str, parameters: Mapping[str, object] | None = None, *, file: str = "reports.sql"
) -> list[Found]:
    """Run a statement of a file in sql/ and return its rows; sums that are whole come as int.

    Raises:
        NoTables: the sink never ran on this database.
        Unavailable: the server does not answer.
    """
    try:
        with psycopg.connect(
            postgres_dsn(settings),
            connect_timeout=CONNECT_TIMEOUT_S,
            tcp_user_timeout=int(settings.io_timeout_s * 1000),
            row_factory=dict_row,
            **startup(),
        ) as connection:
            connection.execute(begin(settings.io_timeout_s, read_only=True))
            rows = connection.execute(_statement(file, name), parameters).fetchall()
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        raise NoTables(
            "the database has no tables yet, or those of an older version: start the stack with `threads-agent up`, "
            "or the sink alone with `threads-agent worker sink-postgres`"
        ) from error
    except psycopg.OperationalError as error:
        raise Unavailable(
            f"PostgreSQL does not answer: {reason_of(error)}; see `threads-agent status` and THREADS_POSTGRES_DSN"
        ) from error
    return [{key: _plain(value) for key, value in row.items()} for row in rows]


def _statement(file: str, name: str) -> bytes:
    counters = ", ".join(POST_COUNTERS).encode()
    return read_statements("sinks.reports", "sql", file)[name].replace(b"{post_counters}", counters)


def _plain(value: object) -> object:
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value
