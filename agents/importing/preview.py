"""The second pass over a file: what its rows would change; nothing is sent of a file that can't be understood."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from agents.importing.decisions.known_counts import KnownCounts
from agents.importing.decisions.planning import Plan, Planner
from agents.importing.import_fault import ImportFault
from agents.importing.reading import ReadBlock, Reading
from agents.importing.report import ImportReport
from agents.importing.rows import RowBlock
from schemas.records import EngagementKind

ROWS_SHOWN = 3


@dataclass(slots=True)
class Preview:
    """What a file would do to what is known: a report as if it were in, its sums, and its first rows as read."""

    report: ImportReport
    first: list[RowBlock] = field(default_factory=list)
    sums: Counter[str] = field(default_factory=Counter)
    good_rows: int = 0


def may_ask(reading: Reading, known: KnownCounts) -> bool:
    """Tell whether any row of a file may be one that it has to be asked about."""
    mapping = reading.mapping
    has_others = mapping.counts is None and known.has_others(mapping.source, reading.survey.source_key)
    return mapping.counts == "totals" or mapping.year is not None or has_others


def preview(reading: Reading, known: KnownCounts, report: ImportReport, *, whole: bool = True) -> Preview:
    """Read all rows and plan them on a branch of what is known; if not `whole`, just until one is good.

    Raises:
        ImportFault: no row is good, or it can't be known what a row changes; nothing is to be sent.
    """
    told, planner, branch = Preview(report), reading.planner(), known.branch()
    with reading.rows() as rows:
        while read := reading.next_block(rows, planner):
            _take(told, read, _planned(reading, planner, read, branch), reading.row_reader.kinds)
            if told.good_rows and not whole:
                break
    report.warnings = _warnings(branch)
    reading.row_reader.check(reading.path.name)
    if told.good_rows == 0:
        raise ImportFault(_nothing_good(told.report))
    return told


def _planned(reading: Reading, planner: Planner, read: ReadBlock, branch: KnownCounts) -> Plan:
    try:
        return planner.plan(read.block, read.slots, branch, reading.now_ms)
    except ImportFault as fault:
        raise ImportFault(f"{reading.path.name}, {fault}") from None


def _take(told: Preview, read: ReadBlock, plan: Plan, kinds: Sequence[EngagementKind]) -> None:
    report, block = told.report, read.block
    for fault in (*read.faults, *plan.faults):
        report.refuse(fault)
    report.note(list(block.notes))
    report.sums += block.sums
    report.older += plan.older
    told.good_rows += len(block.numbers)
    told.sums.update(dict(zip(kinds, block.counts.sum(axis=0, dtype=object).tolist(), strict=True)))
    for change in plan.changes:
        report.changes[change.key.kind] += change.change
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
