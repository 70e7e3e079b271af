"""Empty the response cache: its answers are kept by what was asked, and nobody can tell for whom."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from streams.endpoints import require_postgres
from streams.erasers import Holding
from streams.errors import Unavailable
from streams.postgres_session import PostgresSession, read_statements
from streams.settings import Settings

_SQL = read_statements("agents.caching", "postgres_cache.sql")


async def erase(settings: Settings, key: str, *, dry_run: bool) -> Sequence[Holding]:
    """Delete all answers, whoever they were for: asked again, they are paid again."""
    del key
    session = PostgresSession(require_postgres(settings), settings.io_timeout_s)
    try:
        async with session.transaction() as connection:
            count = 0
            cursor = await connection.execute(_SQL["is_there"])
            row = await cursor.fetchone()
            if row is not None and row[0]:
                cursor = await connection.execute(_SQL["count"])
                count = int(((await cursor.fetchone()) or (0,))[0])
                if count and not dry_run:
                    await connection.execute(_SQL["empty"])
    except psycopg.OperationalError as error:
        raise Unavailable(
            f"PostgreSQL does not answer ({type(error).__name__}), so the response cache is as it was; "
            "see that the server runs and that THREADS_POSTGRES_DSN, where it is set, names it"
        ) from error
    finally:
        await session.close()
    return [Holding("postgres", "cached answers of models, of all personas", count)]
