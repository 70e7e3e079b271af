"""Versions of the tables: the live schema, `rebuild_N` beside it, and `before_N`, which a rebuilt one has replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection

from sinks.postgres.connection import connect
from sinks.postgres.migrations import migrate
from sinks.postgres.rebuilding.database import Database, RebuildError, sql
from sinks.rebuilding.reading import Reach, Reached, is_compacted
from streams.engine.batch import TopicPartition

MARK = "threads-agent rebuild: "
"""How the comment begins that a schema of ours has: no other schema is dropped."""


@dataclass(frozen=True, slots=True)
class Version:
    """A schema of ours besides the live one: what it is in words, and how large."""

    name: str
    told: str
    size_bytes: int

    @property
    def number(self) -> int:
        """Return N of rebuild_N or before_N."""
        return int(self.name.partition("_")[2])

    @property
    def is_rebuilt(self) -> bool:
        """Tell whether it is one that was built and not put in place."""
        return self.name.startswith("rebuild_")


@dataclass(frozen=True, slots=True)
class Schemas:
    """The live schema, as SQL writes its name, and the one that is built beside it."""

    live: str
    version: str

    @property
    def number(self) -> int:
        """Return N of rebuild_N."""
        return int(self.version.partition("_")[2])


async def live_schema(database: Database) -> str:
    """Return the schema that the sink writes into, as SQL writes it.

    Raises:
        RebuildError: there are no tables.
    """
    found = await database.rows("find the live tables", sql("live_schema"))
    if not found:
        raise RebuildError(
            "the database has no tables of ours to rebuild beside: start `threads-agent worker sink-postgres`, "
            "which makes them and fills them from the log"
        )
    return str(found[0][0])


async def versions(database: Database) -> list[Version]:
    """Return the versions there are besides the live one, by number."""
    rows = await database.rows("list the versions", sql("versions"))
    return [
        Version(name, comment.removeprefix(MARK), size)
        for name, comment, size in rows
        if comment is not None and comment.startswith(MARK)
    ]


async def create(database: Database, live: str, number: int, told: str) -> Schemas:
    """Make a version of empty tables as this program's migrations make them.

    Raises:
        RebuildError: the live tables are at other migrations, or the role may not make schemas.
    """
    schemas = Schemas(live, f"rebuild_{number}")
    comment = (MARK + told).replace("'", "''")
    statement = sql("create", version=schemas.version, comment=comment)
    await database.execute(f"make the schema {schemas.version}", statement)
    await bring_up_to_date(database, schemas)
    return schemas


async def bring_up_to_date(database: Database, schemas: Schemas) -> None:
    """Apply the migrations that a version lacks, and see that the live tables have the same; raises as `create`."""
    await _migrate(database, schemas.version)
    differ = await database.rows("compare the migrations", sql("ledgers_differ", **_parts(schemas)))
    if differ:
        numbers = ", ".join(sorted({f"{version:04d}_{name}" for version, name, _ in differ}))
        raise RebuildError(
            f"the live tables and this program's differ in the migrations {numbers}: start "
            "`threads-agent worker sink-postgres` of this version once, which applies them, and run this again"
        )


async def _migrate(database: Database, schema: str) -> None:
    connection = await connect(database.dsn, database.timeout_s)
    try:
        await migrate(connection, database.timeout_s, schema=schema)
    finally:
        await connection.close()


async def drop(database: Database, version: str) -> None:
    """Remove a version; raises as `Database.transaction`."""
    await database.execute(f"drop the schema {version}", sql("drop", version=version))


def chosen(found: Sequence[Version], name: str) -> Version:
    """Return the version that a name or, where only one has it, a number means.

    Raises:
        RebuildError: there is none, or there are two.
    """
    matching = [each for each in found if name in (each.name, str(each.number))]
    if len(matching) == 1:
        return matching[0]
    there = ", ".join(each.name for each in found) or "none"
    raise RebuildError(f"there is no version {name} to choose; there are: {there}")


def last_rebuilt(found: Sequence[Version]) -> Version | None:
    """Return the newest version that was not put in place."""
    return next((each for each in reversed(found) if each.is_rebuilt), None)


async def read_positions(database: Database, schemas: Schemas) -> Reached:
    """Return how far a version is written; the beginnings and ends of the logs are not known."""
    rows = await database.rows("read how far the version is", sql("positions", **_parts(schemas)))
    return {TopicPartition(topic, number): Reach(of, 0, at, at) for topic, number, of, at in rows}


async def keep_positions(connection: AsyncConnection, schemas: Schemas, reached: Reached) -> None:
    """Write how far a version is written, in the transaction that is open."""
    async with connection.cursor() as cursor:
        await cursor.executemany(
            sql("keep_positions", **_parts(schemas)),
            [
                (source.topic, source.partition, each.topic_id, each.first, each.next, is_compacted(source.topic))
                for source, each in reached.items()
            ],
        )


def _parts(schemas: Schemas) -> dict[str, str]:
    return {"live": schemas.live, "version": schemas.version}
