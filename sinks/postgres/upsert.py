"""Upserts: which of several rows with one key a table keeps, and the statements that see to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from sinks.postgres.statements import filled

Row = dict[str, object]
"""The values of a row by column; all rows of a table have the same columns, in one order."""

PLACE = ("source_partition", "source_offset")


@dataclass(frozen=True, slots=True)
class Upsert:
    """Rows of a table by `key`: of several with one key the first or the last stays, in the order of `rank`.

    The rank tells any two rows of a key apart, so that the table is the same after any batching, order or replay.
    """

    table: str
    key: tuple[str, ...]
    keeps: Literal["first", "last"] = "first"
    rank: tuple[str, ...] = PLACE


@cache
def upsert_statements(upsert: Upsert, columns: tuple[str, ...]) -> Mapping[str, bytes]:
    """Return `stage`, `clear`, `copy` and `merge` of rows with these columns; see sql/upserts.sql."""
    others = [name for name in columns if name not in upsert.key]
    descending = " DESC" if upsert.keeps == "last" else ""
    return filled(
        "upserts.sql",
        table=upsert.table,
        columns=", ".join(columns),
        key=", ".join(upsert.key),
        order=", ".join(f"{name}{descending}" for name in upsert.rank),
        assignments=",\n    ".join(f"{name} = EXCLUDED.{name}" for name in others),
        precedes=">" if upsert.keeps == "last" else "<",
        excluded_rank=", ".join(f"EXCLUDED.{name}" for name in upsert.rank),
        kept_rank=", ".join(f"kept.{name}" for name in upsert.rank),
    )
