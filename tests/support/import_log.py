"""Imports in memory: the ledger and the events as logs, and runs that end at any step, as a kill -9 ends them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from agents.importing.decisions.known_counts import encode_changes
from agents.importing.decisions.ledger import LedgerState, new_entry
from agents.importing.decisions.planning import Planner
from agents.importing.decisions.twins import RepeatedRows, RepeatedTwins
from agents.importing.events import entry_columns
from agents.importing.fields import FieldMapping, bind
from agents.importing.rows import RowReader
from agents.importing.sources.source import Row
from schemas.codec.column_encoder import Constant
from schemas.records import ImportProgress
from streams.identity import derived_id

FIELDS = {"post_id": "post", "occurred_at": "at", "views": "seen", "likes": "liked"}
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def mapping(fields: Sequence[str] = tuple(FIELDS), **said: Any) -> FieldMapping:
    columns = {name: (FIELDS[name],) for name in fields}
    return FieldMapping(columns=columns, time_format="iso8601", persona_id="ada", **said)


Event = dict[str, Any]


@dataclass(slots=True)
class ImportLog:
    """A ledger of one partition and the events that came, repeated ones too; time goes on by an hour an entry."""

    entries: list[ImportProgress] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def state(self, upto: int | None = None) -> LedgerState:
        state = LedgerState()
        for offset, entry in enumerate(self.entries[:upto]):
            state.take(offset, entry)
        return state

    def append(self, entry: ImportProgress, state: LedgerState, run: str) -> bool:
        """Append an entry as Ledger.write does, at whatever offset the log has come to."""
        base = state.end
        moment = BEGAN + timedelta(hours=len(self.entries))
        entry = replace(entry, event_id=derived_id(run, str(base)), occurred_at=moment, base=base, run=entry.run or run)
        self.entries.append(entry)
        return state.take(len(self.entries) - 1, entry)

    def send(self, entry: ImportProgress, only: int | None = None) -> None:
        """Send the events of an entry, or the first of them."""
        columns = entry_columns(entry)
        values = {
            name: [column.value] * len(columns.keys) if isinstance(column, Constant) else list(column)
            for name, column in columns.columns.items()
        }
        rows = zip(*values.values(), strict=True)
        self.events += [dict(zip(values, row, strict=True)) for row in islice(rows, only)]

    def settle(self) -> None:
        """Carry out what earlier runs have decided, as settle does."""
        state = self.state()
        for entry in list(state.unsettled.values()):
            self.send(entry)
            assert self.append(replace(entry, counts=None), state, "settling")

    def distinct(self) -> list[Event]:
        """Return the events as consumers count them: each id once."""
        return list({event["event_id"]: event for event in self.events}.values())

    def sums(self) -> Counter[tuple[str | None, str]]:
        """Return what the events count by post and kind."""
        sums: Counter[tuple[str | None, str]] = Counter()
        for event in self.distinct():
            sums[event["post_id"], event["kind"]] += event["count"]
        return sums


@dataclass(frozen=True, slots=True)
class Killed(Exception):
    """A run ended by a kill."""


def run_import(
    log: ImportLog,
    rows: Sequence[Mapping[str, str]],
    reading: FieldMapping,
    *,
    run: str,
    block_rows: int = 2,
    killed_at: int | None = None,
    sent: int = 0,
) -> None:
    """Import rows; killed at an entry, of whose events the first `sent` have arrived.

    Raises:
        ImportFault: as an import does.
        Killed: it was killed.
    """
    log.settle()
    steps = import_steps(log, rows, reading, run=run, block_rows=block_rows)
    for number, entry in enumerate(steps):
        if number == killed_at:
            log.send(entry, sent)
            raise Killed
        log.send(entry)


def import_steps(
    log: ImportLog, rows: Sequence[Mapping[str, str]], reading: FieldMapping, *, run: str, block_rows: int = 2
) -> Iterator[ImportProgress]:
    """Yield each entry in force, whose events the caller sends; between two of them others may write to the log."""
    header = sorted({name for row in rows for name in row})
    layout = bind(reading, header, "x.csv")
    reader = RowReader(layout)
    cells = [Row(number, number + 1, [row.get(name, "") for name in header]) for number, row in enumerate(rows, 1)]
    key = layout.source_key(repr(cells))
    with RepeatedRows() as repeated:
        repeated.note(reader.read(cells)[0])
        planner = Planner(reading, reader.kinds, RepeatedTwins(repeated.found()), reading=key)
    state = log.state()
    for start in range(0, len(cells), block_rows):
        block, faults = reader.read(cells[start : start + block_rows])
        assert faults == []
        slots = planner.slots(block)
        while True:
            plan = planner.plan(block, slots, state.known.branch(), 0)
            entry = replace(new_entry(key, "x.csv"), channel=reading.source, event_source="s", rows=start + block_rows)
            entry = replace(entry, counts=encode_changes(plan.changes))
            if entry.counts is None:
                break
            if log.append(entry, state, run):
                yield log.entries[-1]
                break
            state = log.state()
    log.append(replace(new_entry(key, "x.csv"), rows=len(rows), finished=True), state, run)
