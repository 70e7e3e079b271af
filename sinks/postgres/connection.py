"""Connections: to PostgreSQL with time-outs everywhere, and which of its errors mean that it is away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict

from streams.endpoints import require_postgres
from streams.errors import SettingsError, Unavailable
from streams.postgres_session import begin, cut_after, open_connection
from streams.settings import Settings

# Connection lost, refused, timed out, cancelled, deadlocked, disk full, shutting down, failing over to a standby.
AWAY = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction)
_STANDBY = (psycopg.errors.FeatureNotSupported,)  # what a standby says when a transaction that writes begins


async def connect(dsn: str, timeout_s: float) -> AsyncConnection:
    """Open a connection; a server that is silent for `timeout_s` is given up. Transactions start with `begin_writing`.

    Raises:
        Unavailable: the server does not answer, or does not let us in; the message holds no password.
    """
    with _unavailable_when_away("connect to PostgreSQL"):
        return await open_connection(dsn, timeout_s)


async def begin_writing(connection: AsyncConnection, timeout_s: float, schema: str | None = None) -> None:
    """Begin a transaction that may write, whatever the role's settings are; see streams/postgres_session.py."""
    purpose = "begin a transaction in PostgreSQL"
    with exchange(connection, purpose, timeout_s), _unavailable_when_away(purpose, _STANDBY):
        await connection.execute(begin(timeout_s, schema=schema))


@contextmanager
def exchange(connection: AsyncConnection, purpose: str, timeout_s: float) -> Iterator[None]:
    """Guard the statements of the body: a server that is away, or silent for `timeout_s`, raises `Unavailable`.

    The connection is cut then (`cut_after`), and can't be used any more.
    """
    with cut_after(connection, timeout_s), _unavailable_when_away(purpose):
        yield


@contextmanager
def _unavailable_when_away(purpose: str, away: tuple[type[psycopg.Error], ...] = AWAY) -> Iterator[None]:
    try:
        yield
    except away as error:
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
