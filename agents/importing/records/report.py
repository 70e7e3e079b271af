"""What an import of records did, or would do, in lines for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from agents.importing.times import as_datetime

FAULTS_KEPT = 10


@dataclass(slots=True)
class RecordReport:
    """Counts of one file. `records_sent` are new ones, `known` those that were in; `sum_micros` is of all good rows.

    `left_out` counts rows of other kinds by what they said; `faults` are the first FAULTS_KEPT bad rows.
    """

    file_name: str
    kind: str
    rows: int = 0
    good_rows: int = 0
    records_sent: int = 0
    known: int = 0
    bad_rows: int = 0
    sum_micros: int = 0
    rounded: int = 0
    priced: int = 0
    unpriced: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    left_out: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    rejects: str | None = None
    seconds: float = 0.0

    def refuse(self, place: str, reason: str) -> None:
        """Count a bad row."""
        self.bad_rows += 1
        if len(self.faults) < FAULTS_KEPT:
            self.faults.append(f"{place}: {reason}")


def described(report: RecordReport, *, dry_run: bool = False) -> Iterator[str]:
    """Yield what an import did, or would do."""
    known = f", {report.known:,} were in already" if report.known else ""
    done = "to send" if dry_run else f"sent in {report.seconds:.1f} s"
    yield f"{report.file_name}: {report.rows:,} rows of {report.kind}: {report.records_sent:,} {done}{known}"
    if report.first_ms is not None and report.last_ms is not None:
        first, last = (f"{as_datetime(each):%Y-%m-%d %H:%M}" for each in (report.first_ms, report.last_ms))
        yield f"From {first} to {last} UTC" + (f", ${_dollars(report.sum_micros)} in all" if report.sum_micros else "")
    yield from report.warnings
    if report.rounded:
        yield f"{report.rounded:,} amounts have more than six decimals and are rounded to the micro-dollar"
    if report.priced:
        yield f"{report.priced:,} rows say no cost: they are priced by the price list"
    if report.unpriced:
        yield f"{report.unpriced:,} rows say no cost, and their model has no known price: their cost is unknown"
    for told, count in sorted(report.left_out.items()):
        yield f"{count:,} rows are left out: {told}"
    if report.bad_rows:
        yield f"{report.bad_rows:,} bad rows are left out:"
        yield from (f"  {fault}" for fault in report.faults)
        if report.bad_rows > len(report.faults):
            yield f"  ... and {report.bad_rows - len(report.faults):,} more"
        if report.rejects:
            yield f"They are in {report.rejects}, with line and reason: correct them there and import it."
        else:
            yield "Correct these rows and import the file again: what is in already counts once."


def _dollars(micros: int) -> str:
    return f"{micros // 1_000_000:,}.{micros % 1_000_000:06}"
