"""A rebuild of PostgreSQL from beginning to end: build beside, compare, and on request carry over and switch.

Whatever ends it, the live version is as it was or wholly replaced. A version that was begun is gone on with.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from psycopg import AsyncConnection

from sinks.postgres.rebuilding.carrying import carry
from sinks.postgres.rebuilding.comparing import (
    TableComparison,
    TableStatements,
    compare,
    describe,
    instant,
    settle,
    statements_of,
)
from sinks.postgres.rebuilding.database import Database, one_rebuild_at_a_time, still_held
from sinks.postgres.rebuilding.switching import Refused, Steps, Switch, prepare
from sinks.postgres.rebuilding.tables import TOTALS
from sinks.postgres.rebuilding.versions import (
    Schemas,
    bring_up_to_date,
    create,
    drop,
    keep_positions,
    last_rebuilt,
    live_schema,
    read_positions,
    versions,
)
from sinks.postgres.replaying import PostgresTarget
from sinks.postgres.sink import PostgresSink
from sinks.rebuilding.reading import LogIntoVersion, Reached
from streams.kafka.cluster import Cluster
from streams.operations.runs import ToldRun

NEAR_RECORDS = 2_000
CATCH_UPS = 10  # a log that grows as fast as it is written is not caught up with; the switch holds writers up
SETTLING_S = (0.0, 1.0, 3.0)  # a sink writes what it has read within a checkpoint

Say = Callable[[str], None]
_TOTALS = {table.name for table in TOTALS}  # they follow from rows that are counted


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a rebuild.

    `afresh` begins again where a version is there; `switch` puts it in place, `carry` takes over the rows whose records
    are no longer in the log, `leave_behind` switches though rows stay in the old version alone; `rate` is a second's
    records.
    """

    afresh: bool = False
    switch: bool = False
    carry: bool = False
    leave_behind: bool = False
    rate: float | None = None


@dataclass(slots=True)
class Outcome:
    """What was built, found and done; `before` is the schema of the old version where it was switched."""

    version: str = ""
    begun_before: bool = False
    read: int = 0
    written: int = 0
    refused: int = 0
    tables: list[TableComparison] = field(default_factory=list)
    carried: dict[str, int] = field(default_factory=dict)
    before: str | None = None


def rows_to_lose(tables: Sequence[TableComparison]) -> dict[str, int]:
    """Return by table how many rows of the live version the rebuilt one would lose."""
    counted = {each.table: each.differing.get("gone", 0) + each.differing.get("live", 0) for each in tables}
    return {table: number for table, number in counted.items() if number and table not in _TOTALS}


@dataclass(frozen=True, slots=True)
class Verified:
    """What compares each table, and the instant at which the comparison began."""

    tables: Sequence[TableStatements]
    since: int


@dataclass(frozen=True, slots=True)
class Building:
    """A version under way: what writes the log into it, and the sink that rows are carried over by.

    The target of replays takes ranges in order, which rows that are carried over are not.
    """

    schemas: Schemas
    log: LogIntoVersion
    say: Say
    carrier: PostgresSink

    async def catch_up(self) -> None:
        """Write what the log has by now; raises as `LogIntoVersion` does."""
        await self.log.look()
        await self.log.catch_up(self.say)


class PostgresRebuild:
    """One rebuild; `say` hears a line at each step."""

    def __init__(self, cluster: Cluster, dsn: str, told: ToldRun, say: Say) -> None:
        """Take the run that the rebuild is told as: its own row, which changes all the time, is not compared."""
        self._told = told
        self._run_id = told.run.run_id
        self._cluster = cluster
        self._dsn = dsn
        self._timeout_s = cluster.settings.io_timeout_s
        self._database = Database(dsn, self._timeout_s)
        self._say = say

    async def run(self, wanted: Wanted, outcome: Outcome) -> None:
        """Do what is wanted; `outcome` tells how far it came, whatever ends it.

        Raises:
            Refused: the switch would lose rows; the rebuilt version stays beside.
            RebuildError: another rebuild is under way, or the database is not as it has to be.
            Unavailable: Kafka or PostgreSQL is away; run again, it goes on where it was.
        """
        try:
            async with one_rebuild_at_a_time(self._database) as holder:
                schemas = await self._version(outcome, afresh=wanted.afresh)
                async with self._writing(schemas, wanted.rate) as building:
                    await self._build(building)
                    verified = await self._verify(building, outcome)
                    if wanted.switch:
                        await still_held(holder, self._timeout_s)
                        await self._switch(building, verified, wanted, outcome)
        finally:
            run = self._told.run
            outcome.read, outcome.written, outcome.refused = run.read, run.written, run.refused
            await self._database.close()

    async def _version(self, outcome: Outcome, *, afresh: bool) -> Schemas:
        live = await live_schema(self._database)
        found = await versions(self._database)
        for old in [each for each in found if each.is_rebuilt]:
            if not afresh and old is last_rebuilt(found):
                outcome.version, outcome.begun_before = old.name, True
                self._say(f"going on with {old.name} ({old.told})")
                schemas = Schemas(live, old.name)
                await bring_up_to_date(self._database, schemas)
                return schemas
            await drop(self._database, old.name)
            self._say(f"dropped {old.name}, which was not put in place")
        number = max((each.number for each in found), default=0) + 1
        schemas = await create(self._database, live, number, f"begun at {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
        outcome.version = schemas.version
        self._say(f"building {schemas.version} beside {live}")
        return schemas

    @asynccontextmanager
    async def _writing(self, schemas: Schemas, rate: float | None) -> AsyncIterator[Building]:
        """Open what writes the log into the version, and note how far it is after each write."""
        target = PostgresTarget(self._dsn, self._timeout_s, schemas.version)
        carrier = PostgresSink(self._dsn, self._timeout_s, schemas.version)
        positions = Database(self._dsn, self._timeout_s)

        async def keep(reached: Reached) -> None:
            async with positions.transaction("note how far the version is") as connection:
                await keep_positions(connection, schemas, reached)

        try:
            log = LogIntoVersion(self._cluster, target, self._told, keep, rate)
            await log.look(await read_positions(self._database, schemas))
            yield Building(schemas, log, self._say, carrier)
        finally:
            await target.close()
            await carrier.close()
            await positions.close()

    async def _build(self, building: Building) -> None:
        log, name = building.log, building.schemas.version
        await log.catch_up(self._say, bar=f"building {name}")
        for _ in range(CATCH_UPS):
            if await log.look() <= NEAR_RECORDS:
                break
            await log.catch_up(self._say)
        await log.catch_up(self._say)
        run = self._told.run
        self._say(f"{name} is caught up: {run.read:,} records read, {run.written:,} written, {run.refused:,} refused")

    async def _verify(self, building: Building, outcome: Outcome) -> Verified:
        """Compare all tables; what was only on its way to one of the versions is looked at again."""
        async with self._database.transaction("compare the versions") as connection:
            since = await instant(connection)
            tables = await statements_of(connection, building.schemas)
        outcome.tables = []
        for of in tables:
            async with self._database.transaction(f"compare {of.table.name}") as connection:
                outcome.tables.append(await compare(connection, of, self._run_id))
        for wait_s in SETTLING_S:
            if not await self._unsettled(tables):
                break
            await asyncio.sleep(wait_s)
            await building.catch_up()
        await self._unsettled(tables)
        for of, found in zip(tables, outcome.tables, strict=True):
            async with self._database.transaction(f"list what differs in {of.table.name}") as connection:
                await describe(connection, of, found)
        return Verified(tables, since)

    async def _unsettled(self, tables: Sequence[TableStatements]) -> int:
        left = 0
        for of in tables:
            async with self._database.transaction(f"compare {of.table.name} again") as connection:
                left += await settle(connection, of, self._run_id)
        return left

    async def _switch(self, building: Building, verified: Verified, wanted: Wanted, outcome: Outcome) -> None:
        async def carry_over(connection: AsyncConnection, of: TableStatements, found: TableComparison) -> None:
            if wanted.carry and found.differing.get("gone"):
                number = await carry(connection, of, building.carrier)
                outcome.carried[found.table] = outcome.carried.get(found.table, 0) + number

        def check(found: Sequence[TableComparison]) -> None:
            if rows_to_lose(found) and not wanted.leave_behind:
                raise Refused(refusal(found, building.schemas.version), found)

        if not wanted.carry or only_live(outcome.tables):
            check(outcome.tables)
        await prepare(self._database, building.schemas)
        for of, comparison in zip(verified.tables, outcome.tables, strict=True):
            async with self._database.transaction(f"carry over rows of {of.table.name}") as connection:
                await carry_over(connection, of, comparison)
        await building.catch_up()  # so that little is left for when writers wait
        steps = Steps(building.catch_up, carry_over, check)
        switch = Switch(self._database, building.schemas, verified.tables, verified.since, self._run_id, steps)
        for comparison, found in zip(outcome.tables, await switch.done(self._say), strict=True):
            comparison.differing, comparison.examples = found.differing, found.examples
        outcome.before = f"before_{building.schemas.number}"
        self._say(f"switched: the old tables are in {outcome.before}")


def only_live(tables: Sequence[TableComparison]) -> int:
    """Return how many rows only the live version has though their records are in the log, and so can't be carried."""
    return sum(each.differing.get("live", 0) for each in tables if each.table in rows_to_lose([each]))


def refusal(found: Sequence[TableComparison], version: str) -> str:
    """Return in one line which rows a switch would lose, and what to do."""
    lost = ", ".join(f"{number:,} of {table}" for table, number in rows_to_lose(found).items())
    way = (
        "look at them with --json; `--leave-behind` switches and leaves them in the old version"
        if only_live(found)
        else "their records are no longer in the log: `--carry` takes them over"
    )
    return f"not switched: {version} lacks rows that only the live version has: {lost}; {way}"
