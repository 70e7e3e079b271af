"""What is compared of each table: its key, where a row came from in the log, and which of two records makes a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sinks.postgres.column_tables import COLUMN_TABLES
from sinks.postgres.row_tables import ROW_TABLES
from sinks.postgres.table import PLACE

NOT_COMPARED: Mapping[str, str] = {
    "schema_migrations": "by version and checksum alone: applied_at is when a migration ran here",
    "replayed_blocks": "what replays have written whole, by which later ones are spared: no record tells it",
}
"""Tables that are no record's, and why; they change their places with the others."""

DIFFERENT_BY_NATURE: Mapping[tuple[str, str], str] = {}
"""Columns (table, column) that a rebuild may give other values, and why. None: no column says when it was written."""


@dataclass(frozen=True, slots=True)
class ComparedTable:
    """A table by its key. `place` are the columns partition and offset, `topic` is SQL for the topic of a row.

    Totals follow from other tables: they have no place, and nothing of them is carried over.
    """

    name: str
    key: tuple[str, ...]
    topics: tuple[str, ...] = ()
    place: tuple[str, str] | None = None
    topic: str = ""
    rank: tuple[str, ...] = ()
    keeps: Literal["first", "last"] = "first"
    is_columns: bool = False


def _of_rows() -> list[ComparedTable]:
    return [
        ComparedTable(
            table.name,
            table.upsert.key,
            table.topics,
            (table.place[-2], table.place[-1]),
            f"live.{table.place[0]}" if len(table.topics) > 1 else f"'{table.topics[0]}'",
            table.upsert.rank,
            table.upsert.keeps,
        )
        for table in ROW_TABLES
    ]


def _of_columns() -> list[ComparedTable]:
    return [
        ComparedTable(table.name, ("event_id",), table.topics, PLACE, f"'{table.topic}'", PLACE, is_columns=True)
        for table in COLUMN_TABLES
    ]


TOTALS = (
    ComparedTable("day_totals", ("persona_id", "day", "kind", "simulated")),
    ComparedTable("post_totals", ("persona_id", "post_id")),
)
COMPARED: tuple[ComparedTable, ...] = (*_of_rows(), *_of_columns(), *TOTALS)
"""Every table that the sink fills, in the order in which it writes them: locks are taken in this order too."""
