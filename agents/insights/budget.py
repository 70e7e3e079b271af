"""The calls that an account may still make: a bucket that fills through the day. Pure, but for the clock's times."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

CALLS_AN_IMPRESSION = 4_800  # a day, of each app and user: the platform's documentation of its rate limits
LEAST_IMPRESSIONS = 10  # are counted at least
DAY_S, HOUR_S = 86_400.0, 3_600.0


def calls_a_day(impressions: int) -> int:
    """Return the calls that an account may make in 24 hours, by the impressions of its content in that time."""
    return CALLS_AN_IMPRESSION * max(impressions, LEAST_IMPRESSIONS)


class CallBudget:
    """A share of an account's calls, by the views that it is known to have had in 24 hours.

    It holds an hour's calls at most: with what flows in meanwhile no day has more than 25 hours' worth, and a worker
    that starts again has no day's calls at once.
    """

    def __init__(self, share: float, now: datetime) -> None:
        self._share = share
        self._views: Counter[datetime] = Counter()  # by hour
        self._at = now
        self._left = self._most()

    @property
    def left(self) -> int:
        """Return how many calls may be made at once."""
        return int(self._left)

    def saw(self, views: int, now: datetime) -> None:
        """Count views that came to be known."""
        if views > 0:
            self._views[_hour(now)] += views

    def take(self, now: datetime, calls: int = 1) -> datetime | None:
        """Take calls and return None, or take none and return when there will be so many."""
        self._fill(now)
        if self._left >= calls:
            self._left -= calls
            return None
        wait_s = (calls - self._left) / (self._a_day() / DAY_S)
        return now + timedelta(seconds=max(wait_s, 0.001))

    def _fill(self, now: datetime) -> None:
        passed_s = (now - self._at).total_seconds()  # negative where the clock was set back: nothing flows in
        for hour in [hour for hour in self._views if now - hour > timedelta(hours=25)]:
            del self._views[hour]
        self._left = min(self._left + max(passed_s, 0.0) * self._a_day() / DAY_S, self._most())
        self._at = now

    def _a_day(self) -> float:
        return calls_a_day(self._views.total()) * self._share

    def _most(self) -> float:
        return max(self._a_day() * HOUR_S / DAY_S, 4.0)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
