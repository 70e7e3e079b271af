"""How many requests came to which end in this worker, and whether in time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal, get_args

from agents.generation.metrics import GENERATION_REQUESTS
from streams.engine.readings import Reading

Outcome = Literal["in_time", "late", "dead_lettered"]


class RequestEnds:
    """Counts since the worker's start; what came again and was known already is no end."""

    def __init__(self, within_s: float) -> None:
        """Take the time that a request may take to be in time."""
        self._within = timedelta(seconds=within_s)
        self._counts: Counter[Outcome] = Counter()

    def written(self, requested_at: datetime | None, now: datetime) -> None:
        """Count a request with all its drafts; `requested_at` None: it waited because it was to, and is in time."""
        is_late = requested_at is not None and now - requested_at > self._within
        self._counts["late" if is_late else "in_time"] += 1

    def dead_lettered(self) -> None:
        """Count a request that went to dead.letters, with some of its drafts or with none."""
        self._counts["dead_lettered"] += 1

    def readings(self) -> Iterator[Reading]:
        """Yield the counts, 0 included: a series that begins with its first event has not increased by it."""
        for outcome in get_args(Outcome):
            yield Reading(GENERATION_REQUESTS, (outcome,), self._counts[outcome])
