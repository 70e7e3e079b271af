"""A circuit breaker for a model: after failures in a row it is left alone, then probed by one call at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from streams.engine.retry import Backoff, BreakerState

logger = logging.getLogger(__name__)

PROBE_UNDER_WAY_S = 1.0  # when to look again while somebody else's probe is out


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """How many failures in a row open a breaker, and how long it stays open: longer each time a probe fails."""

    failures_to_open: int = 5
    cool_down: Backoff = field(default_factory=lambda: Backoff(first_s=1.0, max_s=60.0))


@dataclass(frozen=True, slots=True)
class BreakerReading:
    """The state of a model's breaker; `opened_at` is in seconds of its clock, None while it is closed.

    `failures` are those in a row since the last answer, probes included; `reason` is why the last of them failed, empty
    after an answer.
    """

    model: str
    state: BreakerState
    failures: int
    opened_at: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to make one call, handed back with its outcome; one of an earlier `term` no longer changes the state."""

    term: int


class ModelBreaker:
    """Decide which calls to a model may be made.

    `closed`: all. `open`: none until the cool-down is over. `half-open`: one, the probe, is under way. Every permit of
    `enter` must come back by exactly one of `succeeded`, `failed` and `abandoned`.
    """

    def __init__(
        self,
        model: str,
        limits: BreakerLimits,
        *,
        clock: Callable[[], float],
        draw: Callable[[], float],
        on_change: Callable[[BreakerReading], None] | None = None,
    ) -> None:
        self.model = model
        self._limits = limits
        self._clock = clock
        self._draw = draw
        self._on_change = on_change
        self._state: BreakerState = "closed"
        self._failures = 0
        self._openings = 0
        self._opened_at: float | None = None
        self._probe_at = 0.0
        self._term = 0
        self._reason = ""
        self._why = "no reason"

    def enter(self) -> Permit | None:
        """Return a permit for one call; None while the model is left alone."""
        if self._state == "half-open":
            return None
        if self._state == "open":
            if self._clock() < self._probe_at:
                return None
            self._change("half-open")
        return Permit(self._term)

    def succeeded(self, permit: Permit) -> None:
        """Book an answer, of whatever quality: the model is there."""
        if permit.term != self._term:
            return
        self._failures = self._openings = 0
        self._reason = ""
        if self._state != "closed":
            self._opened_at = None
            self._change("closed")

    def failed(self, permit: Permit, *, away_s: float | None = None, reason: str = "", why: str = "no reason") -> None:
        """Book a failure; `away_s` says that the model wants to be left alone for so long, from now on.

        `reason` names it as a reading does, `why` tells it in the log.
        """
        if permit.term != self._term:
            if self._state == "open" and away_s is not None:
                self._probe_at = max(self._probe_at, self._clock() + away_s)
            return
        self._failures += 1
        self._reason, self._why = reason, why
        if self._state == "half-open" or away_s is not None or self._failures >= self._limits.failures_to_open:
            self._open(away_s)

    def abandoned(self, permit: Permit) -> None:
        """Give back a permit without an outcome (cancelled): a probe may be made by the next who asks."""
        if permit.term == self._term and self._state == "half-open":
            self._change("open")

    def wait_s(self) -> float:
        """Return the seconds until a call may be made: 0 when one may be made now."""
        if self._state == "half-open":
            return PROBE_UNDER_WAY_S
        return max(self._probe_at - self._clock(), 0.0) if self._state == "open" else 0.0

    def reading(self) -> BreakerReading:
        """Return the state as it is now."""
        return BreakerReading(self.model, self._state, self._failures, self._opened_at, self._reason)

    def _open(self, away_s: float | None) -> None:
        self._openings += 1
        self._opened_at = self._clock()
        self._probe_at = self._opened_at + self._limits.cool_down.delay_s(self._openings, away_s, self._draw())
        self._change("open")

    def _change(self, state: BreakerState) -> None:
        self._state = state
        self._term += 1
        logger.log(
            logging.INFO if state == "half-open" else logging.WARNING,
            "breaker of model %s is %s (failures in a row: %d, next call in %.1f s)%s",
            self.model,
            state,
            self._failures,
            0.0 if state == "half-open" else self.wait_s(),
            f": {self._why}" if state == "open" else "",
        )
        if self._on_change is not None:
            self._on_change(self.reading())
