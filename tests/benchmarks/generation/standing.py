"""What the runs of a contestant come to: rates, CPU time, memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from streams.errors import ThreadsError

THOUSAND = 1_000


@dataclass(frozen=True, slots=True)
class Run:
    """One run: `counted` of its drafts were finished in `seconds`, the time from the first to the last.

    The CPU times are those of the contestant's own processes and of the servers that it needs beside the model, for
    `cpu_drafts` drafts; `accepted` is None where drafts are not decided on.
    """

    drafts: int
    counted: int
    seconds: float
    cpu_drafts: int
    cpu_seconds: float
    server_cpu_seconds: float
    peak_rss_mb: float
    accepted: int | None = None

    @property
    def rate(self) -> float:
        """Return the drafts per second."""
        return self.counted / self.seconds


def span(times: Sequence[float]) -> tuple[int, float]:
    """Return how many came after the first moment, and in how many seconds; `times` are seconds in any order.

    Those of the first moment itself are not counted: what is finished in one batch took its time before that.

    Raises:
        ThreadsError: all came at one moment, which is no rate.
    """
    first, last = min(times), max(times)
    if first == last:
        raise ThreadsError(f"all {len(times)} drafts were finished at once: take more requests to measure a rate")
    return sum(each > first for each in times), last - first


@dataclass(frozen=True, slots=True)
class Standing:
    """A contestant's runs put together; `failure` says why there are no more."""

    name: str
    what: str
    runs: tuple[Run, ...] = ()
    failure: str | None = None

    @property
    def rate(self) -> float | None:
        """Return the median rate, None without runs."""
        return median(run.rate for run in self.runs) if self.runs else None

    def summary(self) -> dict[str, object]:
        """Return what --json shows; what is not said to be min or max is the median."""
        if not self.runs or self.failure:
            return {"name": self.name, "error": self.failure}
        rates = [run.rate for run in self.runs]
        accepted = [run.accepted for run in self.runs if run.accepted is not None]
        return {
            "name": self.name,
            "drafts_per_second": round(median(rates), 2),
            "min": round(min(rates), 2),
            "max": round(max(rates), 2),
            "cpu_s_per_thousand": _per_thousand([(run.cpu_seconds, run) for run in self.runs]),
            "server_cpu_s_per_thousand": _per_thousand([(run.server_cpu_seconds, run) for run in self.runs]),
            "peak_rss_mb": round(max(run.peak_rss_mb for run in self.runs), 1),
            "drafts": self.runs[0].drafts,
            "accepted": round(median(accepted)) if accepted else None,
            "runs": len(self.runs),
        }


def _per_thousand(spent: Sequence[tuple[float, Run]]) -> float:
    return round(median(seconds * THOUSAND / run.cpu_drafts for seconds, run in spent), 2)
