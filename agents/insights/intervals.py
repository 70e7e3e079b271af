"""When a post is asked for next: soon while it is young, daily when it is old, and at last never. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from agents.insights.settings import InsightsSettings

FIRST_HOUR, FIRST_DAY = timedelta(hours=1), timedelta(days=1)
AHEAD = timedelta(minutes=1)  # of the end of the first hour and day, so that what is told still falls into them


@dataclass(frozen=True, slots=True)
class Intervals:
    """The rule: the next poll comes after a share of the post's age, within bounds.

    It comes neither sooner than `least` nor later than `most`. One falls just before the end of the post's first hour
    and of its first day, and the last one at the age `until`.
    """

    least: timedelta
    most: timedelta
    share: float
    until: timedelta

    @classmethod
    def of(cls, wanted: InsightsSettings) -> Self:
        """Return what the settings say."""
        return cls(
            least=timedelta(seconds=wanted.insights_least_s),
            most=timedelta(seconds=max(wanted.insights_most_s, wanted.insights_least_s)),
            share=wanted.insights_share,
            until=timedelta(days=wanted.insights_for_days),
        )

    def first(self, published_at: datetime) -> datetime:
        """Return when a post is asked for at first."""
        return published_at + self.least

    def next(self, published_at: datetime, polled_at: datetime) -> datetime | None:
        """Return when a post that was asked for at a time is asked for again; None where that was the last time."""
        end = published_at + self.until
        if polled_at >= end:
            return None
        age = max(polled_at - published_at, timedelta())
        due = polled_at + min(max(age * self.share, self.least), self.most)
        marks = (published_at + FIRST_HOUR - self._ahead, published_at + FIRST_DAY - self._ahead, end)
        return min([due, *(mark for mark in marks if polled_at < mark)])

    @property
    def _ahead(self) -> timedelta:
        return min(AHEAD, self.least / 2)
