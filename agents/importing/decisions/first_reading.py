"""What the first reading of a channel changes: every count is new, whatever it is, so that none has to be looked up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from agents.importing.decisions.known_counts import CHANGE_COLUMNS
from agents.importing.decisions.twins import Numbers
from agents.importing.row_block import RowBlock, RowFault
from schemas.record_rules import MAX_AMOUNT
from schemas.records import EngagementKind


def first_changes(
    block: RowBlock, numbers: Numbers, kinds: Sequence[EngagementKind]
) -> tuple[pl.DataFrame, list[RowFault]]:
    """Return the changes of a block in the order of its rows, and a fault for each count that is too large."""
    too_large = np.abs(block.counts) > MAX_AMOUNT
    rows, places = np.nonzero(np.where(too_large, 0, block.counts))
    values = block.counts[rows, places]
    posts = pl.Series(block.post_ids or [None] * len(block.numbers), dtype=pl.String)
    changes = pl.DataFrame(
        {
            "persona_id": pl.Series(block.persona_ids, dtype=pl.String).gather(rows),
            "post_id": posts.gather(rows),
            "kind": pl.Series(kinds, dtype=pl.String).gather(places),
            "at_ms": (block.occurred_ms - block.shift_ms)[rows],
            "number": numbers[rows].astype(np.int32),
            "value": values,
            "change": values,
            "row": np.array(block.numbers, dtype=np.int64)[rows],
            "fresh": np.ones(len(rows), dtype=np.bool_),
            "as_of_ms": pl.Series(block.as_of_ms, dtype=pl.Int64).gather(rows),
        },
        schema=CHANGE_COLUMNS,
    )
    return changes, [_fault(block, kinds, row, place) for row, place in np.argwhere(too_large).tolist()]


def _fault(block: RowBlock, kinds: Sequence[EngagementKind], row: int, place: int) -> RowFault:
    line = block.lines[row]
    return RowFault(line, f"{block.unit} {line}: {kinds[place]} is over {MAX_AMOUNT:,}, too many")
