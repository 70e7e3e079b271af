"""The fault report: what each fault test did to the platform, and by how much the counts were wrong afterwards."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

import pytest

from tests.support.faults.engagement_load import Load
from tests.support.faults.told_counts import Broker, CountsByWindow, settled_difference

HEADINGS = ("fault", "seed", "events", "inflicted", "settled in", "difference")


@dataclass(slots=True)
class FaultRun:
    """One fault test.

    `inflicted` counts what was done by its name, `settled_s` is the time from the last event (and the last blow) until
    the counts told were right, `difference` the sum of what all counts were wrong by then; None until it is known.
    """

    fault: str
    seed: int
    events: int = 0
    inflicted: Counter[str] = field(default_factory=Counter)
    settled_s: float | None = None
    difference: int | None = None

    def inflict(self, what: str) -> None:
        self.inflicted[what] += 1

    async def settle(self, broker: Broker, load: Load) -> int:
        """Wait until the KPIs tell the truth about a load, or a deadline; return the difference that is left."""
        truth = load.truth_by_window()
        return await self.settle_on(broker, lambda: truth, len(load.events))

    async def settle_on(self, broker: Broker, truth: Callable[[], CountsByWindow], events: int) -> int:
        """Do as `settle` for a truth that moves with time, and a number of events."""
        began = time.monotonic()
        self.events += events
        return self.found(await settled_difference(broker, truth), time.monotonic() - began)

    def found(self, wrong_by: int, settled_s: float) -> int:
        """Note the outcome of a comparison; a later one adds to it."""
        self.difference = (self.difference or 0) + wrong_by
        self.settled_s = max(self.settled_s or 0.0, settled_s)
        return wrong_by

    def cells(self) -> tuple[str, ...]:
        """Return the table's line, in the order of HEADINGS."""
        inflicted = ", ".join(f"{count} x {what}" for what, count in self.inflicted.items())
        settled = "-" if self.settled_s is None else f"{self.settled_s:.1f} s"
        wrong = "unknown" if self.difference is None else f"{self.difference:,}"
        return (self.fault, str(self.seed), f"{self.events:,}", inflicted or "-", settled, wrong)


PROPERTY = "fault"
"""Name of the user property that carries a run's line with the report of its test: also from another process."""

BeginFault = Callable[[str], FaultRun]
Line = Sequence[str]


def fault_lines(report: object) -> list[Line]:
    """Return the lines that the report of a test's last phase carries."""
    if not isinstance(report, pytest.TestReport) or report.when != "teardown":
        return []
    return [cast("Line", line) for name, line in report.user_properties if name == PROPERTY]


def table(found: Sequence[Line]) -> Iterator[str]:
    """Yield the lines of the report, the numbers flush right."""
    lines = [HEADINGS, *found]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = zip(HEADINGS, line, widths, strict=True)
        yield "  ".join(
            cell.ljust(width) if heading in ("fault", "inflicted") else cell.rjust(width)
            for heading, cell, width in cells
        ).rstrip()
