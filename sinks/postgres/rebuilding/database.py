"""Transactions of a rebuild, what PostgreSQL refuses in one line, and the lock that lets in one rebuild at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection

from sinks.postgres.connection import AWAY, begin_writing, connect, exchange, reason_of
from sinks.postgres.table import statements
from streams.errors import ThreadsError
from streams.postgres_session import COMMIT

LONG_S = 3_600.0
"""The time that a statement over a whole table may take."""


class RebuildError(ThreadsError):
    """A rebuild can't go on as things are; nothing of the live version was changed."""


def sql(name: str, **parts: object) -> bytes:
    """Return a statement of sql/rebuilding.sql, `{part}` by `{part}` filled in: names of ours, never a value."""
    return statements("rebuilding.sql")[name].decode().format_map(parts).encode()


class Database:
    """One connection for one transaction after the other, made anew after a failure."""

    def __init__(self, dsn: str, timeout_s: float) -> None:
        self.dsn = dsn
        self.timeout_s = timeout_s
        self._connection: AsyncConnection | None = None

    @asynccontextmanager
    async def transaction(self, purpose: str, timeout_s: float = LONG_S) -> AsyncIterator[AsyncConnection]:
        """Run the body in a transaction; `purpose` completes "could not ...".

        Raises:
            Unavailable: the server is away, full, or silent for `timeout_s`.
            RebuildError: it refuses a statement; the line says what it said.
        """
        connection = await self._connected()
        try:
            with exchange(connection, purpose, timeout_s), _refused(purpose):
                await begin_writing(connection, timeout_s)
                yield connection
                await connection.execute(COMMIT)
        except BaseException:
            await self.close()
            raise

    async def rows(self, purpose: str, statement: bytes, parameters: Any = None) -> list[tuple[Any, ...]]:  # noqa: ANN401 - psycopg's
        """Return the rows of one statement in a transaction of its own; raises as `transaction` does."""
        async with self.transaction(purpose) as connection:
            return await (await connection.execute(statement, parameters)).fetchall()

    async def execute(self, purpose: str, *wanted: bytes) -> None:
        """Run statements in one transaction; raises as `transaction` does."""
        async with self.transaction(purpose) as connection:
            for statement in wanted:
                await connection.execute(statement)

    async def close(self) -> None:
        """Disconnect."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _connected(self) -> AsyncConnection:
        if self._connection is None or self._connection.closed:
            self._connection = await connect(self.dsn, self.timeout_s)
        return self._connection


@asynccontextmanager
async def one_rebuild_at_a_time(database: Database) -> AsyncIterator[AsyncConnection]:
    """Hold the lock of rebuilds in a transaction of its own, which sees nothing and keeps no vacuum from its work.

    It goes with the process, however that ends. The connection is what it is held by.

    Raises:
        RebuildError: another process holds it.
    """
    holder = await connect(database.dsn, database.timeout_s)
    try:
        with exchange(holder, "lock out other rebuilds", database.timeout_s):
            await begin_writing(holder, database.timeout_s)
            await holder.execute(sql("stay_open"))
            row = await (await holder.execute(sql("lock_out"))).fetchone()
        if row is None or not row[0]:
            raise RebuildError("another rebuild of this database is under way; run this again when it has ended")
        yield holder
    finally:
        await holder.close()


async def still_held(holder: AsyncConnection, timeout_s: float) -> None:
    """See that the lock of rebuilds is still held: it goes with the connection, when the server starts again.

    Raises:
        Unavailable: the connection is gone.
    """
    with exchange(holder, "see that no other rebuild began", timeout_s):
        await holder.execute(b"SELECT")


@contextmanager
def _refused(purpose: str) -> Iterator[None]:
    try:
        yield
    except AWAY:
        raise
    except psycopg.Error as error:
        raise RebuildError(f"could not {purpose}: PostgreSQL says: {reason_of(error)}") from error
