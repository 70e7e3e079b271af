"""PostgreSQL sessions: what a transaction of ours relies on is said by itself, never taken from a role or a pooler.

A role may have any DateStyle, time zone, search_path or time-out, and a pooler in transaction mode keeps no SET, takes
no startup options, and gives each transaction a session that others used. So every transaction begins with `begin`.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TypedDict, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import class_row

from streams.errors import SettingsError, Unavailable

F = TypeVar("F")

SETTINGS = {
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "bytea_output": "hex",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",  # a double comes back as it was written
    "exit_on_error": "off",  # a row that is there already is an error that a savepoint mends
    "search_path": '"$user", public, pg_temp',  # the server's own default; nobody's temporary table hides one of ours
}
"""Settings that change what a statement means or how a value is written."""

COMMIT = b"COMMIT"
CONNECT_TIMEOUT_S = 5
PATIENCE = 1.5  # times the server's own time-out, whose error tells more; a server that hangs tells nothing
APPLICATION_NAME = "threads-agent-stack"
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def _where(name: str, condition: str, value: str) -> str:
    """Return SQL that sets a setting where its value meets a condition; older servers may not know it."""
    return f"CASE WHEN current_setting('{name}', true) {condition} THEN set_config('{name}', '{value}', true) END"


_TIMEOUTS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
_CONDITIONAL = (
    _where("synchronous_commit", "= 'off'", "on"),
    _where("transaction_timeout", "<> '0'", "0"),  # statements have their time-out, a transaction takes what it takes
)


class Startup(TypedDict):
    """Arguments of psycopg's connect."""

    autocommit: bool
    client_encoding: str
    application_name: str
    prepare_threshold: int | None


def startup(application_name: str = APPLICATION_NAME) -> Startup:
    """Return what psycopg is told at connect: nothing but what a pooler passes on."""
    return {
        "autocommit": True,  # transactions are begun by `begin`
        "client_encoding": "UTF8",  # psycopg encodes the first statement too
        "application_name": application_name,
        "prepare_threshold": None,  # a pooler's next session does not know what was prepared in this one
    }


@cache
def begin(timeout_s: float, *, read_only: bool = False, schema: str | None = None) -> bytes:
    """Return the statements that begin a transaction whose statements and lock waits end after `timeout_s` seconds.

    What is set ends with the transaction. Where a role's commits may get lost (synchronous_commit off), ours do not.
    `schema` is where tables are found and made, a name of ours in small letters; else where the server's default says.
    """
    access = "READ ONLY" if read_only else "READ WRITE"
    timeouts = dict.fromkeys(_TIMEOUTS, f"{int(timeout_s * 1000)}ms")
    path = {} if schema is None else {"search_path": f"{schema}, pg_temp"}
    wanted = [f"set_config('{name}', '{value}', true)" for name, value in {**timeouts, **SETTINGS, **path}.items()]
    return f"BEGIN ISOLATION LEVEL READ COMMITTED {access}; SELECT {', '.join((*wanted, *_CONDITIONAL))}".encode()


@asynccontextmanager
async def transaction(connection: AsyncConnection, timeout_s: float, *, read_only: bool = False) -> AsyncIterator[None]:
    """Run the body in a transaction that `begin` begins; a connection on which it fails is closed."""
    try:
        await connection.execute(begin(timeout_s, read_only=read_only))
        yield
        await connection.execute(COMMIT)
    except BaseException:
        await connection.close()
        raise


async def open_connection(
    dsn: str,
    timeout_s: float,
    *,
    connect_timeout_s: int = CONNECT_TIMEOUT_S,
    application_name: str = APPLICATION_NAME,
) -> AsyncConnection:
    """Open a connection; it ends when the network is silent for `timeout_s`.

    Raises:
        psycopg.Error: the server does not answer within `connect_timeout_s`, at least 2, or does not let us in.
    """
    return await AsyncConnection.connect(
        dsn, connect_timeout=connect_timeout_s, tcp_user_timeout=int(timeout_s * 1000), **startup(application_name)
    )


@contextmanager
def cut_after(connection: AsyncConnection, timeout_s: float) -> Iterator[None]:
    """Cut a connection on which the body takes longer than `timeout_s`: whoever waits on it gets a psycopg.Error.

    The server's own time-outs do not help when the server hangs, and cancelling a query waits for its answer. A
    connection that was cut can't be used any more.
    """
    watchdog = asyncio.get_running_loop().call_later(timeout_s, _cut, connection)
    try:
        yield
    finally:
        watchdog.cancel()


def _cut(connection: AsyncConnection) -> None:
    with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)


class PostgresSession:
    """One connection for one short transaction after the other, made when it is needed and anew after a failure.

    Nothing waits without end: connecting has its time-out, statements end after `timeout_s`, and a transaction is cut
    when the server tells nothing at all. One task at a time may use it.
    """

    def __init__(
        self,
        dsn: str,
        timeout_s: float,
        *,
        connect_timeout_s: int = CONNECT_TIMEOUT_S,
        application_name: str = APPLICATION_NAME,
        prepare: Callable[[AsyncConnection], Awaitable[None]] | None = None,
    ) -> None:
        """Nothing is connected yet; `prepare` runs in a transaction of its own on each new connection."""
        self._dsn = dsn
        self._timeout_s = timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._application_name = application_name
        self._prepare = prepare
        self._connection: AsyncConnection | None = None

    @asynccontextmanager
    async def transaction(self, *, read_only: bool = False) -> AsyncIterator[AsyncConnection]:
        """Run the body in a transaction, as the function `transaction` does.

        Raises:
            psycopg.Error: the server is away, silent or refuses; nothing was changed, or it is not known.
        """
        connection = await self._connected()
        with cut_after(connection, PATIENCE * self._timeout_s):
            async with transaction(connection, self._timeout_s, read_only=read_only):
                yield connection

    async def close(self) -> None:
        """Disconnect; a later transaction connects again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _connected(self) -> AsyncConnection:
        if self._connection is None or self._connection.closed:
            connection = await open_connection(
                self._dsn,
                self._timeout_s,
                connect_timeout_s=self._connect_timeout_s,
                application_name=self._application_name,
            )
            if self._prepare is not None:
                with cut_after(connection, PATIENCE * self._timeout_s):
                    async with transaction(connection, self._timeout_s):
                        await self._prepare(connection)
            self._connection = connection
        return self._connection


async def read_rows(dsn: str, query: str, parameters: Mapping[str, object], form: type[F], timeout_s: float) -> list[F]:
    """Return the rows of a query, each as a `form` by the names of its columns, over a connection of its own.

    Raises:
        Unavailable: the server does not answer.
        SettingsError: it has no such tables.
    """
    session = PostgresSession(dsn, timeout_s)
    try:
        async with session.transaction(read_only=True) as connection:
            cursor = connection.cursor(row_factory=class_row(form))
            await cursor.execute(query.encode(), parameters)
            return await cursor.fetchall()
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        raise SettingsError(
            "PostgreSQL lacks these tables yet: run the worker that makes them once, `threads-agent up` does"
        ) from error
    except (psycopg.OperationalError, TimeoutError) as error:
        raise Unavailable(f"PostgreSQL does not answer: {error}; start it with `threads-agent up`") from error
    finally:
        await session.close()


@cache
def read_statements(package: str, *path: str) -> Mapping[str, bytes]:
    """Return the named statements of a file in a package, as bytes (psycopg takes them as they are)."""
    return parse_statements(files(package).joinpath(*path).read_text(encoding="utf-8"))


def parse_statements(text: str) -> Mapping[str, bytes]:
    """Split the text of an .sql file by its `-- name:` lines.

    Raises:
        ValueError: text before the first name, no name at all, or a name that comes twice.
    """
    head, *parts = _NAME.split(text)
    names, bodies = parts[::2], parts[1::2]
    if head.strip() or not names:
        raise ValueError("expected each statement under a line `-- name: NAME`, from the first line on")
    if len(set(names)) != len(names):
        raise ValueError(f"expected distinct statement names, got {', '.join(sorted(names))}")
    return MappingProxyType({name: body.strip().encode() for name, body in zip(names, bodies, strict=True)})
