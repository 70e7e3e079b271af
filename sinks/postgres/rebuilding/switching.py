"""Switching: in one transaction the rebuilt tables take the place of the live ones, which stay as `before_N`.

Writers are locked out first, readers at the very end. What the sink has committed before the lock is in the log before
the ends that are looked up after it, whether or not the sink has told Kafka; so nothing can be missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
from psycopg import AsyncConnection

from sinks.postgres.rebuilding.comparing import TableComparison, TableStatements, add_changed, describe, settle
from sinks.postgres.rebuilding.database import Database, RebuildError, sql
from sinks.postgres.rebuilding.tables import COMPARED
from sinks.postgres.rebuilding.versions import MARK, Schemas
from sinks.postgres.table import statements
from streams.errors import Unavailable

LOCK_TIMEOUT_S = 3.0  # a waiting lock holds up who comes after it; longer than it takes to end an autovacuum (1 s)
LOCK_TRIES = 10
LOCKED_S = 20.0  # less than a sink waits by default
BETWEEN_TRIES_S = 1.0
_IN_USE = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)


class Refused(RebuildError):
    """The switch would lose rows; `found` says which."""

    def __init__(self, message: str, found: Sequence[TableComparison]) -> None:
        super().__init__(message)
        self.found = found


@dataclass(frozen=True, slots=True)
class Steps:
    """What the switch does while writers are locked out.

    `catch_up` writes the rest of the log into the rebuilt version, `carry` puts what only live has into it, in the
    transaction given; `check` raises Refused where rows would be lost.
    """

    catch_up: Callable[[], Awaitable[None]]
    carry: Callable[[AsyncConnection, TableStatements, TableComparison], Awaitable[None]]
    check: Callable[[Sequence[TableComparison]], None]


async def prepare(database: Database, schemas: Schemas) -> None:
    """Make the rebuilt tables what the live ones are to others: their indexes, who may read them, fresh statistics.

    Raises:
        RebuildError: views or references of others stand on the live tables, and would go on with the old ones.
    """
    names = await _relations(database, schemas)
    parts, known = {"live": schemas.live, "version": schemas.version}, {"live": schemas.live, "names": names}
    dependents = await database.rows("look for what stands on the tables", sql("foreign_dependents", **parts), known)
    if dependents:
        listed = ", ".join(name for (name,) in dependents)
        raise RebuildError(
            f"{listed} of yours stand on the live tables and would go on with the old ones: "
            "drop them, switch, and make them again"
        )
    wanted = await database.rows("read the indexes", sql("own_indexes", **parts), known)
    wanted += await database.rows("read who may read", sql("grants", **parts), known)
    await database.execute("make indexes and grants", *(statement.encode() for (statement,) in wanted))
    analyze = [f"ANALYZE {schemas.version}.{table.name}".encode() for table in COMPARED]
    await database.execute("take statistics of the rebuilt tables", *analyze)


@dataclass(frozen=True, slots=True)
class Switch:
    """A rebuilt version that is to be put in place.

    Rows that differed before, and all that were written `since` the comparison began, are compared again under the
    lock.
    """

    database: Database
    schemas: Schemas
    tables: Sequence[TableStatements]
    since: int
    run_id: str
    steps: Steps

    async def done(self, say: Callable[[str], None]) -> list[TableComparison]:
        """Put the rebuilt tables in the place of the live ones; return what differed at that moment.

        Raises:
            Refused: rows would be lost; nothing was changed.
            Unavailable: PostgreSQL or Kafka is away, or the lock could not be had; nothing was changed.
        """
        relations = await self.database.rows("list the tables", sql("relations", version=self.schemas.version))
        for number in range(1, LOCK_TRIES + 1):
            try:
                return await self._tried(relations)
            except Unavailable as error:
                if not isinstance(error.__cause__, _IN_USE):
                    raise
                if number == LOCK_TRIES:
                    raise Unavailable(
                        f"the live tables were in use at each of {LOCK_TRIES} tries, for {LOCK_TIMEOUT_S:g} s: "
                        "switch again when no long query reads them; nothing was changed"
                    ) from error
                say(f"the tables are in use; trying again ({number} of {LOCK_TRIES})")
                await asyncio.sleep(BETWEEN_TRIES_S)
        raise AssertionError  # the last try returned or raised

    async def _tried(self, relations: Sequence[tuple[str, str]]) -> list[TableComparison]:
        live = self.schemas.live
        async with self.database.transaction("put the rebuilt tables in place") as connection:
            await connection.execute(sql("be_brief", lock_timeout_ms=int(LOCK_TIMEOUT_S * 1000)))
            await connection.execute(statements("migrations.sql")["lock"])
            await connection.execute(sql("lock_writers", tables=_listed(live, [table.name for table in COMPARED])))
            await self._catch_up()
            found = await self._compared_again(connection)
            await connection.execute(sql("lock_all", tables=_listed(live, [name for name, _ in relations])))
            await self._swap(connection, relations)
        return found

    async def _catch_up(self) -> None:
        try:
            async with asyncio.timeout(LOCKED_S):
                await self.steps.catch_up()
        except TimeoutError as error:
            raise Unavailable(
                f"the rest of the log took longer than {LOCKED_S:g} s, and writers can't be kept waiting longer; "
                "nothing was changed, switch again"
            ) from error

    async def _compared_again(self, connection: AsyncConnection) -> list[TableComparison]:
        for of in self.tables:
            await add_changed(connection, of, self.since)
            await self.steps.carry(connection, of, await self._compared(connection, of))
        found = [await self._compared(connection, of) for of in self.tables]  # what was carried over changes totals too
        self.steps.check(found)
        return found

    async def _compared(self, connection: AsyncConnection, of: TableStatements) -> TableComparison:
        await settle(connection, of, self.run_id)
        return await describe(connection, of, TableComparison(of.table.name))

    async def _swap(self, connection: AsyncConnection, relations: Sequence[tuple[str, str]]) -> None:
        before, version = f"before_{self.schemas.number}", self.schemas.version
        told = f"{MARK}replaced by {version} at {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
        await connection.execute(sql("create_before", before=before, comment=told))
        for name, kind in relations:
            statement = "swap_view" if kind == "v" else "swap_table"
            await connection.execute(sql(statement, live=self.schemas.live, version=version, before=before, table=name))
        await connection.execute(sql("drop", version=version))


def _listed(schema: str, names: Sequence[str]) -> str:
    return ", ".join(f"{schema}.{name}" for name in names)


async def _relations(database: Database, schemas: Schemas) -> list[str]:
    rows = await database.rows("list the tables", sql("relations", version=schemas.version))
    return [str(name) for name, _ in rows]
