"""Wait out the surroundings: exponential back-off with full jitter behind a circuit breaker."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from streams.errors import Unavailable

logger = logging.getLogger(__name__)
T = TypeVar("T")

BreakerState = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays in seconds: `first_s` doubled with each failure up to `max_s`, each drawn from [half, whole] of it.

    Source: exponential back-off with equal jitter, so that workers that lost the same server don't return in step.
    """

    first_s: float = 0.1
    max_s: float = 15.0

    def delay_s(self, failures: int, retry_after_s: float | None, draw: float) -> float:
        """Return the wait after `failures` failures (1 for the first); `draw` is uniform in [0, 1]."""
        whole = min(self.first_s * 2.0 ** min(failures - 1, 32), self.max_s)
        return max(whole * (0.5 + draw / 2), retry_after_s or 0.0)


class CircuitBreaker:
    """Call something until it answers; only one probe at a time, and everybody can see the state.

    `closed`: the last call went through. `open`: waiting after a failure. `half-open`: probing. `reason` says what the
    last failure was until a call goes through, `changed_at` when the state changed last, by the monotonic clock.
    """

    def __init__(
        self, name: str, backoff: Backoff | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self.reason = ""
        self.changed_at = monotonic()
        self._monotonic = monotonic
        self.state: BreakerState = "closed"
        self.failures = 0
        self._backoff = backoff or Backoff()
        self._random = random.Random()  # noqa: S311 - jitter, not a secret

    async def until_available(self, action: Callable[[], Awaitable[T]]) -> T:
        """Await `action()` and repeat it while it raises `Unavailable`; any other error passes through."""
        while True:
            try:
                result = await action()
            except Unavailable as error:
                await self._wait(error)
            else:
                self._close()
                return result

    async def _wait(self, error: Unavailable) -> None:
        self.failures += 1
        if self.state == "closed":
            logger.warning("%s is unavailable, waiting; nothing is lost: %s", self.name, error)
        self._turn("open", str(error))
        await asyncio.sleep(self._backoff.delay_s(self.failures, error.retry_after_s, self._random.random()))
        self._turn("half-open", str(error))

    def _close(self) -> None:
        if self.failures:
            logger.warning("%s is available again after %d failed calls", self.name, self.failures)
            self._turn("closed", "")
        self.failures = 0

    def _turn(self, state: BreakerState, reason: str) -> None:
        self.state, self.reason, self.changed_at = state, reason, self._monotonic()
