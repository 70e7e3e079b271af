"""Comparing: the live tables and the rebuilt ones, by checksums and where these differ row by row.

A sink goes on writing meanwhile. So the keys whose rows differ are kept, and looked at again when both versions went
on: what was only on its way is alike then. Nothing else can have come to differ but what was written since, and
PostgreSQL tells that of each row (xmin).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from psycopg import AsyncConnection

from sinks.postgres.rebuilding.database import sql
from sinks.postgres.rebuilding.tables import COMPARED, DIFFERENT_BY_NATURE, ComparedTable
from sinks.postgres.rebuilding.versions import Schemas

Kind = Literal["gone", "live", "rebuilt", "different"]
KINDS: Mapping[Kind, str] = {
    "gone": "live has it of a record that is no longer in the log",
    "live": "only live has it, though its record is in the log",
    "rebuilt": "only the rebuilt version has it: the sink is behind, or live lost it",
    "different": "both have it, not alike",
}
SAMPLE_ROWS = 5  # of each table and kind


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is not alike: its key, and the columns that differ as (live, rebuilt)."""

    kind: Kind
    key: tuple[object, ...]
    columns: Mapping[str, tuple[object, object]]


@dataclass(slots=True)
class TableComparison:
    """What was found of a table: rows and checksums of both versions, how many rows differ by kind, and examples."""

    table: str
    live_rows: int = 0
    rebuilt_rows: int = 0
    live_sum: str = ""
    rebuilt_sum: str = ""
    differing: dict[Kind, int] = field(default_factory=dict)
    examples: list[Difference] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Tell whether no row differs."""
        return not self.differing


class TableStatements:
    """The statements that compare one table; see sql/rebuilding.sql."""

    def __init__(self, schemas: Schemas, table: ComparedTable, columns: Sequence[str]) -> None:
        """Take the columns that are not generated, in their order."""
        self.table = table
        self.columns = tuple(columns)
        compared = [name for name in columns if (table.name, name) not in DIFFERENT_BY_NATURE]
        others = [name for name in columns if name not in table.key]
        partition, offset = table.place or ("", "")
        self._parts = {
            "live": schemas.live,
            "version": schemas.version,
            "table": table.name,
            "columns": ", ".join(compared),
            "key": ", ".join(table.key),
            "first_key": table.key[0],
            "either_key": ", ".join(f"coalesce(live.{name}, rebuilt.{name})" for name in table.key),
            "differing_key": ", ".join(f"differing.{name}" for name in table.key),
            "same_key": _same(table.key, "live", "rebuilt"),
            "differing_is_live": _same(table.key, "live", "differing"),
            "differing_is_rebuilt": _same(table.key, "rebuilt", "differing"),
            "live_columns": _of("live", compared),
            "rebuilt_columns": _of("rebuilt", compared),
            "live_column_list": _of("live", columns),
            "assignments": ",\n    ".join(f"{name} = EXCLUDED.{name}" for name in others),
            "partition": partition,
            "offset": offset,
            "is_gone": _is_gone(table),
            "join_positions": _join_positions(schemas, table),
        }
        self._parts["classified"] = sql("classified", **self._parts).decode()

    def __getitem__(self, name: str) -> bytes:
        return sql(name, **self._parts)

    def filled(self, name: str, **more: object) -> bytes:
        """Return a statement that needs more than the table tells."""
        return sql(name, **self._parts, **more)


def _of(version: str, columns: Sequence[str]) -> str:
    return ", ".join(f"{version}.{name}" for name in columns)


def _same(key: Sequence[str], one: str, other: str) -> str:
    return " AND ".join(f"{one}.{name} = {other}.{name}" for name in key)


def _is_gone(table: ComparedTable) -> str:
    """Return SQL: the record of the live row is no longer in the log, and would make the row if it were."""
    if table.place is None:
        return "FALSE"
    offset = f"live.{table.place[1]}"
    precedes = ">" if table.keeps == "last" else "<"
    return (
        f"live.{table.key[0]} IS NOT NULL AND (positions.topic IS NULL OR positions.compacted "
        f"OR {offset} < positions.first_offset OR {offset} >= positions.next_offset) "
        f"AND (rebuilt.{table.key[0]} IS NULL OR ({_of('live', table.rank)}) {precedes} ({_of('rebuilt', table.rank)}))"
    )


def _join_positions(schemas: Schemas, table: ComparedTable) -> str:
    if table.place is None:
        return ""
    return (
        f"LEFT JOIN {schemas.version}.rebuild_positions AS positions "
        f"ON positions.topic = {table.topic} AND positions.partition = live.{table.place[0]}"
    )


async def statements_of(connection: AsyncConnection, schemas: Schemas) -> list[TableStatements]:
    """Return the statements of every table, its columns as the database has them."""
    found = []
    for table in COMPARED:
        rows = await fetched(connection, sql("columns", version=schemas.version, table=table.name))
        found.append(TableStatements(schemas, table, [str(name) for (name,) in rows]))
    return found


async def compare(connection: AsyncConnection, of: TableStatements, own_run: str) -> TableComparison:
    """Compare a table as a whole, in one statement's view of both versions; keys of rows that differ are kept.

    The row of the rebuild's own run, which changes all the time, is left out of what differs.
    """
    [(live_rows, live_sum, rebuilt_rows, rebuilt_sum)] = await fetched(connection, of["sums"])
    await connection.execute(of["make_differing"])
    if (live_rows, live_sum) != (rebuilt_rows, rebuilt_sum):
        await connection.execute(of["find_differing"])
        await _leave_out(connection, of, own_run)
    return TableComparison(of.table.name, live_rows, rebuilt_rows, live_sum, rebuilt_sum)


async def add_changed(connection: AsyncConnection, of: TableStatements, since: int) -> None:
    """Keep the keys of all rows that were written since an `instant` too, to be looked at again."""
    await connection.execute(of.filled("find_changed", since=since))


async def settle(connection: AsyncConnection, of: TableStatements, own_run: str) -> int:
    """Forget the keys whose rows are alike by now; return how many are left."""
    await _leave_out(connection, of, own_run)
    await connection.execute(of["analyze"])
    await connection.execute(of["settle"])
    await connection.execute(of["settle_gone"])
    return sum(number for _, number in await fetched(connection, of["kinds"]))


async def _leave_out(connection: AsyncConnection, of: TableStatements, own_run: str) -> None:
    if of.table.name == "operation_runs":
        await connection.execute(of["leave_out"], (own_run,))


async def describe(connection: AsyncConnection, of: TableStatements, found: TableComparison) -> TableComparison:
    """Fill in how many rows differ, by kind, and the first of each."""
    found.differing = dict(await fetched(connection, of["kinds"]))
    found.examples = []
    if found.differing:
        rows = await fetched(connection, of.filled("sample", limit=SAMPLE_ROWS))
        for kind, *key, live, rebuilt in rows:
            found.examples.append(Difference(kind, tuple(key), differing_columns(of.columns, live, rebuilt)))
    return found


def differing_columns(
    columns: Sequence[str], live: Mapping[str, object] | None, rebuilt: Mapping[str, object] | None
) -> dict[str, tuple[object, object]]:
    """Return the columns in which two rows differ, as (live, rebuilt); none where one version has no such row."""
    if live is None or rebuilt is None:
        return {}
    return {name: (live[name], rebuilt[name]) for name in columns if live[name] != rebuilt[name]}


async def instant(connection: AsyncConnection) -> int:
    """Return a number before which everything that was written is seen by what follows; for `add_changed`."""
    [(number,)] = await fetched(connection, sql("instant"))
    return int(number)


async def fetched(connection: AsyncConnection, statement: bytes, parameters: Any = None) -> list[tuple[Any, ...]]:  # noqa: ANN401 - psycopg's
    """Return the rows of a statement in the open transaction."""
    return await (await connection.execute(statement, parameters)).fetchall()
