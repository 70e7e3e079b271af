"""What an import did, or would do: counted for one file, told for one or several."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from streams.errors import RecordFault

FAULTS_KEPT = 10


@dataclass(slots=True)
class ImportReport:
    """What an import did. `rows_before` were in from an earlier one; `faults` are the first FAULTS_KEPT bad rows.

    `notes` are the first FAULTS_KEPT fields that were left out of good rows, of `note_count` in all. `sums` counts rows
    that only sum up others, `older` totals that a newer export had replaced. `totals` is what the good rows count by
    kind, `changes` what was sent of it: the difference to what was known. `rejects` is the file of the bad rows.
    """

    file_name: str
    source: str
    rows: int
    rows_before: int
    shift_ms: int
    rows_sent: int = 0
    records_sent: int = 0
    bad_rows: int = 0
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0
    note_count: int = 0
    notes: list[str] = field(default_factory=list)
    sums: int = 0
    older: int = 0
    changes: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)
    rejects: str | None = None

    @property
    def already_imported(self) -> bool:
        """Tell whether every row was in before."""
        return self.rows_before >= self.rows

    def refuse(self, fault: RecordFault) -> None:
        """Count a bad row."""
        self.bad_rows += 1
        if len(self.faults) < FAULTS_KEPT:
            self.faults.append(str(fault))

    def note(self, notes: list[str]) -> None:
        """Count fields that were left out."""
        self.note_count += len(notes)
        self.notes += notes[: FAULTS_KEPT - len(self.notes)]


def described(report: ImportReport) -> list[str]:
    """Return what an import did, in lines for people."""
    if report.already_imported:
        return [f"{report.file_name}: already imported, all {report.rows:,} rows; nothing was sent"]
    rate = report.rows_sent / report.seconds if report.seconds else 0.0
    before = f", after {report.rows_before:,} that were in already" if report.rows_before else ""
    good = report.rows_sent - report.bad_rows - report.sums
    done = f"{report.file_name}: {good:,} of {report.rows:,} rows imported{before}"
    lines = [f"{done}: {report.records_sent:,} records in {report.seconds:.1f} s, {rate:,.0f} rows/s"]
    if report.shift_ms:
        lines.append(f"Times are shifted by {report.shift_ms / 86_400_000:.1f} days")
    return lines + left_out(report)


def left_out(report: ImportReport) -> list[str]:
    """Return what of a file was not imported and why, in lines for people."""
    lines = list(report.warnings)
    if report.sums:
        lines.append(f"{report.sums:,} rows that only sum up others were left out")
    if report.older:
        lines.append(f"{report.older:,} counts of an older export were left out: newer ones are known")
    if report.notes:
        lines.append(f"{report.note_count:,} remarks on rows that are in:")
        lines += _some(report.notes, report.note_count)
    if report.bad_rows:
        lines.append(f"{report.bad_rows:,} bad rows were left out:")
        lines += _some(report.faults, report.bad_rows)
        if report.rejects:
            lines.append(f"They are in {report.rejects}, with line and reason: correct them there and import it.")
        else:
            lines.append("Correct these rows and import the file again: what is in already counts once.")
    return lines


def _some(texts: list[str], count: int) -> list[str]:
    rest = count - len(texts)
    return [f"  {text}" for text in texts] + ([f"  ... and {rest:,} more"] if rest else [])
