"""What the group last confirmed: that this worker is a member, in which generation, and when it was asked."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A coordinator's yes. It is as old as the question, by the monotonic and by the wall clock, in seconds.

    A process that was frozen, or a machine that slept, ages it by one of the two; a wall clock set back voids it.
    """

    generation: int
    asked_at: float
    asked_at_wall: float

    @classmethod
    def asked_now(cls, generation: int) -> Self:
        """Return what a question asked now will confirm."""
        return cls(generation, time.monotonic(), time.time())

    def holds(self, now: Self, max_age_s: float) -> bool:
        """Tell whether it still answers a question asked `now`."""
        age, wall_age = now.asked_at - self.asked_at, now.asked_at_wall - self.asked_at_wall
        return now.generation == self.generation and age < max_age_s and 0 <= wall_age < max_age_s
