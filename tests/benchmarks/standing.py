"""What the runs of a contestant come to."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from tests.benchmarks.roster import Contestant

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a contestant: `events` in `seconds`, and what its process and the broker took meanwhile."""

    events: int
    seconds: float
    cpu_seconds: float
    broker_cpu_seconds: float
    peak_rss_mb: float
    difference: str | None
    versions: dict[str, str]

    @property
    def events_per_second(self) -> float:
        """Return the rate."""
        return self.events / self.seconds


@dataclass(frozen=True, slots=True)
class Standing:
    """A contestant's runs put together; `failure` says why there are none, or no more."""

    contestant: Contestant
    events: int
    runs: tuple[Run, ...] = ()
    failure: str | None = None

    @property
    def rates(self) -> list[float]:
        """Return the events per second of each run."""
        return [run.events_per_second for run in self.runs]

    @property
    def difference(self) -> str | None:
        """Return how the first wrong answer differs, None where all are right."""
        return next((run.difference for run in self.runs if run.difference), None)

    @property
    def is_right(self) -> bool:
        """Tell whether every run ended and found the right answer."""
        return bool(self.runs) and self.failure is None and self.difference is None

    def summary(self) -> dict[str, object]:
        """Return what --json shows of the contestant; what is not said to be min or max is the median."""
        if not self.runs or self.failure:
            return {"name": self.contestant.name, "error": self.failure}
        seconds = median(run.seconds for run in self.runs)
        cpu, broker_cpu = (
            median(run.cpu_seconds for run in self.runs),
            median(run.broker_cpu_seconds for run in self.runs),
        )
        return {
            "name": self.contestant.name,
            "events_per_second": round(median(self.rates)),
            "min": round(min(self.rates)),
            "max": round(max(self.rates)),
            "peak_rss_mb": round(max(run.peak_rss_mb for run in self.runs), 1),
            "correct": self.difference is None,
            "events": self.events,
            "runs": len(self.runs),
            "seconds": round(seconds, 3),
            "cpu_seconds": round(cpu, 3),
            "cpu_seconds_per_million_events": round(cpu * MILLION / self.events, 3),
            "broker_cpu_seconds": round(broker_cpu, 3),
            **({"difference": self.difference} if self.difference else {}),
        }
