"""The gate of an account: closed for a while after faults of the platform, and while the account itself is refused."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from agents.insights.settings import InsightsSettings
from streams.engine.retry import Backoff

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an account waits: `backoff` after faults of the platform, `pause` where it was refused."""

    backoff: Backoff
    pause: timedelta

    @classmethod
    def of(cls, wanted: InsightsSettings) -> Patience:
        """Return what the settings say."""
        backoff = Backoff(wanted.insights_first_retry_s, wanted.insights_longest_retry_s)
        return cls(backoff, timedelta(seconds=wanted.insights_pause_s))


class AccountGate:
    """Say when an account may be asked with. After a fault it is closed; then one probe is let through at a time.

    `reason` is why the account is paused (a word for metrics), None while it is not. A pause ends by itself, or when
    the account's record is another than `version`, the one that was refused.
    """

    def __init__(self, account_id: str, patience: Patience, draw: Callable[[], float]) -> None:
        self.reason: str | None = None
        self._account_id = account_id
        self._patience = patience
        self._draw = draw
        self._failures = 0
        self._until: datetime | None = None
        self._version: str | None = None
        self._is_probing = False

    def enter(self, now: datetime, version: str | None) -> datetime | None:
        """Let a call through and return None, or return when to come again.

        Each call that is let through comes back by one of `succeeded`, `failed`, `refused` and `left`.
        """
        if self._until is None:
            return None
        if self.reason is not None and version != self._version:
            self._until = now
        if now < self._until or self._is_probing:
            return self._soon(max(self._until, now))
        self._is_probing = True
        return None

    def _soon(self, at: datetime) -> datetime:
        """Return a time after another: those that wait don't come all at once."""
        return at + timedelta(seconds=self._patience.backoff.first_s * (0.5 + self._draw()))

    def succeeded(self) -> None:
        """Note that the platform answered: the gate is open."""
        if self.reason is not None:
            logger.info("Insights of the account %s go on", self._account_id)
        self.reason, self._until, self._failures, self._is_probing = None, None, 0, False

    def left(self) -> None:
        """Note that a call came to no end: nothing is known."""
        self._is_probing = False

    def failed(self, now: datetime, message: str, retry_after_s: float | None = None) -> datetime:
        """Note a fault of the platform, and return when to come again."""
        is_news = self._until is None or self._is_probing
        self._is_probing = False
        if is_news:  # calls that were under way together are one failure
            self._failures += 1
            wait_s = self._patience.backoff.delay_s(self._failures, retry_after_s, self._draw())
            self._until = now + timedelta(seconds=wait_s)
            logger.warning("Insights of the account %s wait for %.1f s: %s", self._account_id, wait_s, message)
        elif retry_after_s is not None and self._until is not None:
            self._until = max(self._until, now + timedelta(seconds=retry_after_s))
        return self._soon(self._until or now)

    def refused(self, now: datetime, reason: str, message: str, version: str | None) -> datetime:
        """Pause the account, and return when it is tried again; others go on."""
        if self.reason != reason:
            logger.warning("Insights of the account %s are paused (%s): %s", self._account_id, reason, message)
        self.reason, self._version, self._is_probing = reason, version, False
        self._until = now + self._patience.pause
        return self._soon(self._until)
