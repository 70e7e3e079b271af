"""The second pass over a file: what its rows would change and what was understood, told before anything is sent."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from agents.importing.cells.visible_text import ImportFault
from agents.importing.decisions.known_counts import KnownCounts
from agents.importing.decisions.ledger import LedgerState
from agents.importing.decisions.planning import Plan, Planner
from agents.importing.fields import FieldMapping
from agents.importing.presets import load_preset
from agents.importing.reading import ReadBlock, Reading, reject
from agents.importing.rejects import Rejects
from agents.importing.report import ImportReport, left_out
from agents.importing.row_block import RowBlock
from agents.importing.times import as_datetime
from schemas.records import EngagementKind

ROWS_SHOWN = 3
WIDTH = 80
_COUNTS = {
    "totals": "totals so far: the difference to what is known is sent",
    "new": "new in each row; what is in already is not sent again",
    None: "not said: new, as long as no other import has these posts",
}


@dataclass(slots=True)
class Preview:
    """What a file would do to what is known: a report as if it were in, its sums, and its first rows as read."""

    report: ImportReport
    first: list[RowBlock] = field(default_factory=list)
    sums: Counter[str] = field(default_factory=Counter)
    good_rows: int = 0


def may_ask(reading: Reading, state: LedgerState) -> bool:
    """Tell whether any row of a source may be one that it has to be asked about."""
    mapping = reading.mapping
    has_others = mapping.counts is None and state.has_others(mapping.source, reading.survey.source_key)
    return mapping.counts == "totals" or mapping.year is not None or has_others


def preview(
    reading: Reading, state: LedgerState, report: ImportReport, *, whole: bool = True, rejects: Rejects | None = None
) -> Preview:
    """Read all rows and plan them on a branch of what is known; if not `whole`, just until one is good.

    Raises:
        ImportFault: no row is good, or it can't be known what a row changes; nothing is to be sent.
    """
    told, planner, branch = Preview(report), reading.planner(), state.known.branch()
    is_first = planner.is_first(state.channels.get(reading.mapping.source, ()))
    with reading.rows() as rows:
        while read := reading.next_block(rows, planner):
            plan = planner.plan_first(read.block, read.slots) if is_first else _planned(reading, planner, read, branch)
            _take(told, read, plan, reading.row_reader.kinds)
            if rejects is not None:
                reject((*read.faults, *plan.faults), read, rejects)
            if told.good_rows and not whole:
                break
    report.warnings = [*reading.survey.warnings, *_warnings(branch)]
    reading.row_reader.check(reading.name)
    if told.good_rows == 0:
        raise ImportFault(_nothing_good(told.report))
    return told


def _planned(reading: Reading, planner: Planner, read: ReadBlock, branch: KnownCounts) -> Plan:
    try:
        return planner.plan(read.block, read.slots, branch, reading.now_ms)
    except ImportFault as fault:
        raise ImportFault(f"{reading.name}, {fault}") from None


def _take(told: Preview, read: ReadBlock, plan: Plan, kinds: Sequence[EngagementKind]) -> None:
    report, block = told.report, read.block
    for fault in (*read.faults, *plan.faults):
        report.refuse(fault)
    report.note(list(block.notes))
    report.sums += block.sums
    report.older += plan.older
    told.good_rows += len(block.numbers)
    told.sums.update(dict(zip(kinds, block.counts.sum(axis=0, dtype=object).tolist(), strict=True)))
    report.changes.update(plan.by_kind())
    if not told.first and block.numbers:
        told.first.append(block.part(slice(ROWS_SHOWN)))


def _warnings(branch: KnownCounts) -> list[str]:
    both = branch.added_up()
    kinds = ", ".join(sorted({kind for _, _, kind in both}))
    return [
        f"Persona {persona_id}: {channel} is counted both by post and by account, and KPIs add these up ({kinds}). "
        "Import one of them, or give them personas of their own."
        for channel, persona_id in sorted({each[:2] for each in both})
    ]


def _nothing_good(report: ImportReport) -> str:
    lines = [f"{report.file_name}: none of its {report.rows:,} rows can be imported; nothing was sent:"]
    lines += [f"  {fault}" for fault in report.faults]
    rest = report.bad_rows - len(report.faults)
    return "\n".join(lines + ([f"  ... and {rest:,} more"] if rest > 0 else []))


def understood(reading: Reading, told: Preview) -> list[str]:
    """Return the lines that --dry-run prints."""
    report = told.report
    lines = [f"{report.file_name}: {report.rows:,} rows, {told.good_rows:,} of them good"]
    for name, text in _form(reading):
        lines += wrapped(f"  {name + ':':<12}{text}", indent=14)
    lines.append("  columns:")
    lines += [line for name, column in _columns(reading) for line in wrapped(f"    {name:<16}{column}", indent=20)]
    for block in told.first:
        lines += ["  first rows:", *_rows(block, reading)]
    lines += ["  sums:", *_sums(told)]
    return lines + [line for text in left_out(report) for line in wrapped("  " + text, indent=4)]


def wrapped(text: str, *, indent: int, width: int = WIDTH) -> list[str]:
    """Return a text in lines of at most so many columns; a word that is longer, as an id may be, is not cut."""
    return textwrap.wrap(
        text,
        width,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


def _form(reading: Reading) -> Iterator[tuple[str, str]]:
    mapping, survey = reading.mapping, reading.survey
    if mapping.preset:
        yield "preset", f"{mapping.preset} ({load_preset(mapping.preset).title})"
    yield "format", survey.source.described
    yield "numbers", reading.survey.numbers.described() + f", decimals after {reading.survey.numbers.decimal!r}"
    yield "times", _times(mapping)
    yield "counts", _COUNTS[mapping.counts]
    yield "source", mapping.source
    if mapping.persona_id:
        yield "persona", mapping.persona_id


def _times(mapping: FieldMapping) -> str:
    zone = f"of {mapping.timezone or 'UTC'} where they have no offset"
    year = f", of {mapping.year} where they have no year" if mapping.year else ""
    as_of = f"; exported on {mapping.as_of}" if mapping.as_of else ""
    return f"{mapping.time_format}, {zone}{year}{as_of}"


def _columns(reading: Reading) -> Iterator[tuple[str, str]]:
    layout = reading.survey.layout
    for name, column in layout.bound.items():
        kind = f" ({reading.survey.types[column]})" if column in reading.survey.types else ""
        taken_off = layout.mapping.subtracted.get(name) if name in layout.subtracted else None
        yield name, column + kind + (f" less {taken_off[0]}" if taken_off else "")


def _rows(block: RowBlock, reading: Reading) -> Iterator[str]:
    for row, line in enumerate(block.lines):
        at = as_datetime(int(block.occurred_ms[row]))
        post = "" if block.post_ids is None else f", post {block.post_ids[row]}"
        yield from wrapped(f"    {block.unit} {line}: {at:%Y-%m-%d %H:%M} UTC{post}", indent=6)
        told = zip(reading.row_reader.kinds, block.counts[row].tolist(), block.said[row].tolist(), strict=True)
        yield from wrapped("      " + ", ".join(f"{kind} {count:,}" for kind, count, said in told if said), indent=6)


def _sums(told: Preview) -> Iterator[str]:
    for kind, count in told.sums.items():
        change = told.report.changes[kind]
        yield f"    {kind:<16}{count:>18,}   to be sent {change:>18,}"
