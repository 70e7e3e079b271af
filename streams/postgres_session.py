"""PostgreSQL sessions: what a transaction of ours relies on is said by itself, never taken from a role or a pooler.

A role may have any DateStyle, time zone, search_path or time-out, and a pooler in transaction mode keeps no SET, takes
no startup options, and gives each transaction a session that others used. So every transaction begins with `begin`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import TypedDict

from psycopg import AsyncConnection

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


def startup(application_name: str = "threads-agent-stack") -> Startup:
    """Return what psycopg is told at connect: nothing but what a pooler passes on."""
    return {
        "autocommit": True,  # transactions are begun by `begin`
        "client_encoding": "UTF8",  # psycopg encodes the first statement too
        "application_name": application_name,
        "prepare_threshold": None,  # a pooler's next session does not know what was prepared in this one
    }


@cache
def begin(timeout_s: float, *, read_only: bool = False) -> bytes:
    """Return the statements that begin a transaction whose statements and lock waits end after `timeout_s` seconds.

    What is set ends with the transaction. Where a role's commits may get lost (synchronous_commit off), ours do not.
    """
    access = "READ ONLY" if read_only else "READ WRITE"
    timeouts = dict.fromkeys(_TIMEOUTS, f"{int(timeout_s * 1000)}ms")
    wanted = [f"set_config('{name}', '{value}', true)" for name, value in {**timeouts, **SETTINGS}.items()]
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
