"""Erase somebody from PostgreSQL: all rows that name it, in one transaction, whichever tables there are."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import AsyncConnection, sql

from sinks.postgres.connection import begin_writing, connect, exchange, postgres_dsn
from sinks.postgres.table import statements
from streams.erasers import Holding
from streams.postgres_session import COMMIT
from streams.settings import Settings

ERASE_TIMEOUT_S = 3600.0  # events have no index by persona: each table is read once
OWNER = "persona_id"
OWNED = sql.SQL("persona_id = %(key)s")
LETTERS = sql.SQL("record_key = convert_to(%(key)s, 'UTF8')")
NOTICES = sql.SQL("post_id IN (SELECT post_id FROM {} WHERE persona_id = %(key)s)")


async def erase(settings: Settings, key: str, *, dry_run: bool) -> Sequence[Holding]:
    """Delete the rows of a persona from every table that has a column persona_id, and its dead letters and notices.

    Raises:
        Unavailable: the server is away; nothing is deleted.
    """
    connection = await connect(postgres_dsn(settings), settings.io_timeout_s)
    try:
        with exchange(connection, "erase rows in PostgreSQL", ERASE_TIMEOUT_S):
            await begin_writing(connection, ERASE_TIMEOUT_S)
            found = await _erase(connection, key, dry_run=dry_run)
            await connection.execute(COMMIT)
    finally:
        await connection.close()
    return found


async def tables_with(connection: AsyncConnection, column: str) -> list[tuple[str, str]]:
    """Return schema and name of the tables that have a column, versions beside the live ones too, in one order."""
    cursor = await connection.execute(statements("erasing.sql")["tables_with"], {"column": column})
    return [(str(schema), str(name)) for schema, name in await cursor.fetchall()]


async def _erase(connection: AsyncConnection, key: str, *, dry_run: bool) -> list[Holding]:
    """Work through the tables: first those whose rows are found by others'."""
    owned = await tables_with(connection, OWNER)
    where: list[tuple[str, str, sql.Composable]] = [
        (schema, name, NOTICES.format(sql.Identifier(schema, "publications")))
        for schema, name in await tables_with(connection, "received_at")
        if name == "platform_notices" and (schema, "publications") in owned
    ]
    where += [
        (schema, name, LETTERS)
        for schema, name in await tables_with(connection, "record_key")
        if name == "dead_letters"
    ]
    where += [(schema, name, OWNED) for schema, name in owned]
    begin = sql.SQL("SELECT count(*) FROM {} WHERE {}" if dry_run else "DELETE FROM {} WHERE {}")
    holdings = []
    for schema, name, condition in where:
        cursor = await connection.execute(begin.format(sql.Identifier(schema, name), condition), {"key": key})
        count = int(((await cursor.fetchone()) or (0,))[0]) if dry_run else cursor.rowcount
        holdings.append(Holding("postgres", name if schema == "public" else f"{schema}.{name}", count))
    return holdings
