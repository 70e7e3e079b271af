"""What the rows of a file change: each count against what is known of its post, kind and time. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import polars as pl

from agents.importing.cells.visible_text import ImportFault
from agents.importing.decisions.first_reading import first_changes
from agents.importing.decisions.known_counts import (
    TOTAL,
    Change,
    CountKey,
    KnownCount,
    KnownCounts,
    Slot,
    changes_frame,
)
from agents.importing.decisions.twins import Numbers, RepeatedTwins
from agents.importing.fields import FieldMapping
from agents.importing.row_block import RowBlock, RowFault
from agents.importing.sources.source import Unit
from agents.importing.times import as_datetime
from schemas.record_rules import MAX_AMOUNT
from schemas.records import EngagementKind


@dataclass(slots=True)
class Plan:
    """What a block of rows changes, in their order; `older` counts totals that a newer export has replaced."""

    changes: pl.DataFrame = field(default_factory=lambda: changes_frame(()))
    faults: list[RowFault] = field(default_factory=list)
    older: int = 0

    def by_kind(self) -> dict[str, int]:
        """Return by how much the counts of each kind change."""
        sums = self.changes.group_by("kind", maintain_order=True).agg(pl.col("change").sum())
        return dict(sums.iter_rows())


class _Cell(NamedTuple):
    """One count of one row."""

    key: CountKey
    slot: Slot
    value: int
    row: int
    line: int
    as_of_ms: int | None
    unit: Unit


class Planner:
    """Plan the blocks of one reading of a file, in their order.

    With totals, a count is the total of its post and kind so far: the difference to the known total is booked at the
    post's own time, where the first one was; a fall is taken back from the latest bookings, so that no time falls below
    zero. With new counts, identity is source, post, kind and time (and, of rows that share these, their order): what is
    in already changes nothing, another value is a correction. Unsaid is new, as long as nothing that other readings
    brought is touched.
    """

    def __init__(
        self,
        mapping: FieldMapping,
        kinds: Sequence[EngagementKind],
        twins: RepeatedTwins,
        *,
        reading: str,
        adopted_rows: int = 0,
    ) -> None:
        """Take the kinds of the blocks' counts; an older version sent the events of the first `adopted_rows` rows."""
        self._mapping = mapping
        self._kinds = kinds
        self._reading = reading
        self._adopted_rows = adopted_rows
        self._twins = twins

    def slots(self, block: RowBlock) -> Numbers:
        """Return the number of each row's slot of the next block; to be asked once for each block, in order."""
        if self._mapping.counts == "totals":
            return np.full(len(block.numbers), TOTAL, dtype=np.int64)
        return self._twins.numbers(block)

    def is_first(self, channel_readings: Collection[str]) -> bool:
        """Tell whether this reading decides without what is known, given the readings that its channel has."""
        return self._mapping.counts != "totals" and not self._adopted_rows and {*channel_readings} <= {self._reading}

    def plan_first(self, block: RowBlock, slots: Numbers) -> Plan:
        """Return what a block changes of a channel of which no other reading is known."""
        return Plan(*first_changes(block, slots, self._kinds))

    def plan(self, block: RowBlock, slots: Numbers, known: KnownCounts, told_ms: int) -> Plan:
        """Return what a block changes, and apply it to `known`.

        Raises:
            ImportFault: it can't be known what a count changes; the text says what to say.
        """
        plan, decided = Plan(), list[Change]()
        for cell in self._cells(block, slots):
            if abs(cell.value) > MAX_AMOUNT:
                fault = f"{cell.unit} {cell.line}: {cell.key.kind} is over {MAX_AMOUNT:,}, too many"
                plan.faults.append(RowFault(cell.line, fault))
                continue
            state = known.of(cell.key)
            is_total = self._mapping.counts == "totals"
            changes = self._total(cell, state, plan) if is_total else self._news(cell, state)
            changes = [each._replace(change=0) for each in changes] if cell.row <= self._adopted_rows else changes
            known.apply(changes, self._reading, told_ms)
            decided += changes
        plan.changes = changes_frame(decided)
        return plan

    def _cells(self, block: RowBlock, slots: Numbers) -> Iterator[_Cell]:
        channel = self._mapping.source
        said, counts = block.said.tolist(), block.counts.tolist()
        times = (block.occurred_ms - block.shift_ms).tolist()
        for row, slot in enumerate(map(Slot, times, slots.tolist())):
            persona_id, post_id = block.persona_ids[row], _post(block, row)
            for place, kind in enumerate(self._kinds):
                if said[row][place]:
                    key = CountKey(channel, persona_id, post_id, kind)
                    number, line = block.numbers[row], block.lines[row]
                    yield _Cell(key, slot, counts[row][place], number, line, block.as_of_ms[row], block.unit)

    def _news(self, cell: _Cell, state: KnownCount | None) -> list[Change]:
        before = state.slots.get(cell.slot) if state else None
        change = cell.value - (before or 0)
        if change == 0:
            return []
        if self._mapping.counts is None and state is not None and self._is_foreign(cell, state, before):
            raise ImportFault(_ask_counts(cell, state))
        return [Change(cell.key, cell.slot, cell.value, change, cell.row, before is None)]

    def _is_foreign(self, cell: _Cell, state: KnownCount, before: int | None) -> bool:
        """Tell whether another reading knows that post; of an account, which has a row a day, that day."""
        others = len(state.readings) > 1 or self._reading not in state.readings
        return others and (cell.key.post_id is not None or before is not None)

    def _total(self, cell: _Cell, state: KnownCount | None, plan: Plan) -> list[Change]:
        if state is None:
            is_news = cell.value or cell.as_of_ms is not None  # of zero, at least the day, for an older export to come
            return [_booked(cell, cell.slot, None, cell.value)] if is_news else []
        change = cell.value - state.total
        if self._is_older(cell, state, change):
            plan.older += change != 0
            return []
        if change < 0:
            return list(_taken_back(cell, state, -change))
        slot = min((slot for slot in state.slots if slot.number == TOTAL), default=cell.slot)
        confirmed = change == 0 and (cell.as_of_ms or 0) <= (state.as_of_ms or 0)
        return [] if confirmed else [_booked(cell, slot, state.slots.get(slot), change)]

    def _is_older(self, cell: _Cell, state: KnownCount, change: int) -> bool:
        """Tell whether a total is of an older export than the one that is known.

        Raises:
            ImportFault: it is below the known one, and nothing tells which of the two is newer.
        """
        new, old = cell.as_of_ms, state.as_of_ms
        if new is not None and old is not None and new != old:
            return new < old
        if change >= 0 or (new is not None and old is None and new > state.told_ms):
            return False
        if self._mapping.falls is None:
            raise ImportFault(_ask_falls(cell, state))
        return self._mapping.falls == "keep"


def _post(block: RowBlock, row: int) -> str | None:
    return None if block.post_ids is None else block.post_ids[row]


def _booked(cell: _Cell, slot: Slot, before: int | None, change: int) -> Change:
    return Change(cell.key, slot, (before or 0) + change, change, cell.row, before is None, cell.as_of_ms)


def _taken_back(cell: _Cell, state: KnownCount, amount: int) -> Iterator[Change]:
    """Take an amount off the bookings, the latest first; what they do not hold is taken off the cell's own slot."""
    for slot in sorted(state.slots, reverse=True):
        held = state.slots[slot]
        taken = min(held, amount)
        if taken > 0:
            amount -= taken
            yield Change(cell.key, slot, held - taken, -taken, cell.row, fresh=False, as_of_ms=cell.as_of_ms)
    if amount:  # of a change of followers: its total may fall below zero
        held = min(state.slots.get(cell.slot, 0), 0)
        yield Change(cell.key, cell.slot, held - amount, -amount, cell.row, fresh=False, as_of_ms=cell.as_of_ms)


def _of(key: CountKey) -> str:
    post = f"post {key.post_id}" if key.post_id is not None else "the account"
    return f"{key.kind} of {post} (persona {key.persona_id})"


def _ask_counts(cell: _Cell, state: KnownCount) -> str:
    return (
        f"{cell.unit} {cell.line}: {cell.value:,} {_of(cell.key)}, of which {state.total:,} are known from another "
        "import. Are the file's counts totals so far, or new since the last file? Say --counts totals or --counts new; "
        "if it is of another platform, name it with --source. Nothing was sent."
    )


def _ask_falls(cell: _Cell, state: KnownCount) -> str:
    known_as_of = "at an unknown time" if state.as_of_ms is None else f"on {as_datetime(state.as_of_ms):%Y-%m-%d}"
    return (
        f"{cell.unit} {cell.line}: {cell.value:,} {_of(cell.key)}, but {state.total:,} were known {known_as_of}. Is "
        "this an older export, or were counts taken back? Say when it was exported, e.g. --as-of 2026-03-01, or say "
        "--falls correct (take the lower total) or --falls keep (leave the greater one). Nothing was sent."
    )
