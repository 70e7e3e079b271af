"""Columns of instants such as `2026-11-22T10:30:00Z`, read at once; other times are read cell by cell."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from agents.importing.cells.typed import Cell

_INSTANT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(?:\.\d{3})?Z$"


def instants_ms(cells: Sequence[Cell]) -> list[int] | None:
    """Return the milliseconds since the epoch of cells that are all such texts, None where one is anything else."""
    if set(map(type, cells)) != {str}:
        return None
    texts = pl.Series(cells, dtype=pl.String)
    if not texts.str.contains(_INSTANT).all():
        return None
    times = texts.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="ms", strict=False)
    return None if times.null_count() else times.cast(pl.Int64).to_list()
