"""Migrations: numbered .sql files, applied once each, in order, by whichever worker comes first."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from psycopg import AsyncConnection

from sinks.postgres.connection import begin_writing, exchange
from sinks.postgres.table import statements
from streams.errors import ThreadsError
from streams.postgres_session import COMMIT

MIGRATION_TIMEOUT_S = 3600.0  # a new index over all events takes its time

_FILE = re.compile(r"^(\d{4})_(\w+)\.sql$")


class MigrationError(ThreadsError):
    """The database's tables are not those that this version of the program made."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered change of the tables; `sql` may hold several statements."""

    version: int
    name: str
    sql: bytes

    @property
    def checksum(self) -> str:
        """Return the SHA-256 of the file, hexadecimal."""
        return hashlib.sha256(self.sql).hexdigest()


def migrations() -> tuple[Migration, ...]:
    """Return the migrations in sinks/postgres/migrations, in order.

    Raises:
        MigrationError: a file's name is not NNNN_name.sql, or the numbers are not 1, 2, 3 and so on.
    """
    found = []
    for file in sorted(files("sinks.postgres").joinpath("migrations").iterdir(), key=lambda file: file.name):
        match = _FILE.match(file.name)
        if match is None:
            raise MigrationError(f"expected migrations named 0001_name.sql, got {file.name}")
        found.append(Migration(int(match[1]), match[2], file.read_bytes()))
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationError(f"expected migrations 1 to {len(found)}, got {[each.version for each in found]}")
    return tuple(found)


async def migrate(
    connection: AsyncConnection,
    timeout_s: float,
    wanted: Sequence[Migration] | None = None,
    schema: str | None = None,
) -> list[Migration]:
    """Bring the tables up to date in one transaction, under a lock; return what was applied.

    They are those of `schema`, where it is named, else those that the server's default path finds. A connection on
    which it fails can't be used any more.

    Raises:
        MigrationError: the database has a migration that is unknown here or that differs from ours.
        Unavailable: the server is away.
    """
    with exchange(connection, "create PostgreSQL's tables", max(timeout_s, MIGRATION_TIMEOUT_S)):
        await begin_writing(connection, timeout_s, schema)
        applied = await _migrate(connection, migrations() if wanted is None else wanted)
        await connection.execute(COMMIT)
    return applied


async def _migrate(connection: AsyncConnection, wanted: Sequence[Migration]) -> list[Migration]:
    sql = statements("migrations.sql")
    await connection.execute(sql["lock"])
    await connection.execute(sql["create_ledger"])
    cursor = await connection.execute(sql["applied"])
    applied = {version: (name, checksum) for version, name, checksum in await cursor.fetchall()}
    _check(applied, wanted)
    await connection.execute(sql["allow_time"], (f"{MIGRATION_TIMEOUT_S:.0f}s",))
    fresh = [migration for migration in wanted if migration.version not in applied]
    for migration in fresh:
        await connection.execute(migration.sql)
        await connection.execute(sql["record"], (migration.version, migration.name, migration.checksum))
    return fresh


def _check(applied: dict[int, tuple[str, str]], wanted: Sequence[Migration]) -> None:
    known = {migration.version: migration for migration in wanted}
    for version, (name, checksum) in applied.items():
        if version not in known:
            raise MigrationError(
                f"the database has migration {version} ({name}), this program knows {len(known)}: "
                "a newer version made the tables; update the program, or use another database"
            )
        if known[version].checksum != checksum:
            raise MigrationError(
                f"migration {version} ({known[version].name}) is not the one that was applied to the database: "
                "restore the file, or drop the tables and replay the topics into new ones"
            )
