"""Connections: to PostgreSQL with time-outs everywhere, and which of its errors mean that it is away."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict

from streams.endpoints import require_postgres
from streams.errors import SettingsError, Unavailable
from streams.settings import Settings

# Connection lost, refused, timed out, cancelled, deadlocked, disk full, shutting down, failing over to a standby.
AWAY = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction)

CONNECT_TIMEOUT_S = 5
_SESSION = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


async def connect(dsn: str, timeout_s: float) -> AsyncConnection:
    """Open an autocommit connection in UTC whose statements and lock waits end after `timeout_s`.

    Raises:
        Unavailable: the server does not answer, or does not let us in; the message holds no password.
    """
    timeout_ms = str(int(timeout_s * 1000))
    with _unavailable_when_away("connect to PostgreSQL"):
        connection = await AsyncConnection.connect(
            dsn,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name="threads-agent-stack",
            tcp_user_timeout=timeout_ms,
            autocommit=True,
        )
    try:
        with exchange(connection, "set up a session of PostgreSQL", timeout_s):
            for name in _SESSION:
                await connection.execute("SELECT set_config(%s, %s, false)", (name, timeout_ms))
            await connection.execute("SELECT set_config('TimeZone', 'UTC', false)")
    except BaseException:
        await connection.close()
        raise
    return connection


@contextmanager
def exchange(connection: AsyncConnection, purpose: str, timeout_s: float) -> Iterator[None]:
    """Guard the statements of the body: a server that is away, or silent for `timeout_s`, raises `Unavailable`.

    The server's own statement_timeout does not help when the server hangs, and cancelling a query waits for its answer;
    so the connection is cut, which wakes whoever waits on it. It can't be used any more then.
    """
    watchdog = asyncio.get_running_loop().call_later(timeout_s, _cut, connection)
    try:
        with _unavailable_when_away(purpose):
            yield
    finally:
        watchdog.cancel()


def _cut(connection: AsyncConnection) -> None:
    with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)


@contextmanager
def _unavailable_when_away(purpose: str) -> Iterator[None]:
    try:
        yield
    except AWAY as error:
        raise Unavailable(
            f"could not {purpose}: {reason_of(error)}; "
            "see that the server runs and that THREADS_POSTGRES_DSN, where it is set, names it"
        ) from error


def reason_of(error: psycopg.Error) -> str:
    """Return the first line of what PostgreSQL says; the others guess at causes."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def postgres_dsn(settings: Settings) -> str:
    """Return the DSN to connect with.

    Raises:
        SettingsError: none is configured, or it is no DSN; the message does not show it, for it may hold a password.
    """
    dsn = require_postgres(settings)
    try:
        conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        raise SettingsError(
            "THREADS_POSTGRES_DSN is not a DSN: expected postgresql://user:password@host:port/database"
        ) from None  # the cause quotes the text
    return dsn
