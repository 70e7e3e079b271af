"""The gateway's way to PostgreSQL: one pool, transactions that only read, a time-out on everything."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from sinks.reports.queries import Found, NoTables, found_by, statement
from streams.endpoints import resolve
from streams.errors import Unavailable
from streams.postgres_session import CONNECT_TIMEOUT_S, PATIENCE, cut_after, startup, transaction
from streams.settings import Settings

MOST_CONNECTIONS = 8
MOST_WAITING = 200  # more would only be answered after their clients have gone
STATEMENT_TIMEOUT_S = 10.0
WAIT_TIMEOUT_S = 5.0


class Database:
    """Run statements of sinks/reports/sql; used as an async context.

    It opens without a server, too: statements raise `Unavailable` until there is one.
    """

    def __init__(self, settings: Settings, statement_timeout_s: float = STATEMENT_TIMEOUT_S) -> None:
        self._settings = settings
        self._statement_timeout_s = statement_timeout_s
        self._pool: AsyncConnectionPool[Any] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            await self._pool.close(timeout=WAIT_TIMEOUT_S)

    async def rows(
        self, name: str, parameters: Mapping[str, object] | None = None, *, file: str = "reports.sql"
    ) -> list[Found]:
        """Run a statement of a file in sinks/reports/sql and return its rows; sums that are whole come as int.

        Raises:
            NoTables: the sink never ran on this database.
            Unavailable: no server, or it does not answer in time.
        """
        try:
            pool = await self._opened()
            async with pool.connection(WAIT_TIMEOUT_S) as connection:
                with cut_after(connection, PATIENCE * self._statement_timeout_s):
                    async with transaction(connection, self._statement_timeout_s, read_only=True):
                        return await found_by(connection, statement(file, name), parameters)
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
            raise NoTables("the database has no tables yet: the role sink-postgres makes them") from error
        except (psycopg.OperationalError, PoolTimeout, TooManyRequests) as error:
            raise Unavailable(f"PostgreSQL does not answer: {' '.join(str(error).split())}") from error

    async def _opened(self) -> AsyncConnectionPool[Any]:
        if self._pool is None:
            dsn = resolve(self._settings).postgres
            if dsn is None:
                raise Unavailable("PostgreSQL is not configured: set THREADS_POSTGRES_DSN, or run `threads-agent up`")
            pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
                dsn,
                kwargs={**startup("threads-gateway"), "connect_timeout": CONNECT_TIMEOUT_S},
                min_size=0,
                max_size=MOST_CONNECTIONS,
                max_waiting=MOST_WAITING,
                timeout=WAIT_TIMEOUT_S,
                open=False,
            )
            self._pool = pool
            await pool.open()
        return self._pool
