"""What moves: topics against their own history, and the hours of the day at which a persona's posts do well. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import NormalDist
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from agents.learning.forecasting.post_starts import PostStart
from agents.scoring.words import words_of

LEAST_POSTS = 8
ERROR = 0.05
"""Probability of calling something different that is as ever, over all topics or hours that are looked at together."""
SHRINK_POSTS = 5.0
"""Posts' worth of the persona's own mean that an hour is drawn to."""
Floats = NDArray[np.float64]
Verdict = Literal["rises", "falls", "as ever", "too little history"]


@dataclass(frozen=True, slots=True)
class Trend:
    """A topic's engagements a post in the last days over those before: the ratio of geometric means, with its interval.

    None where there are few posts.
    """

    topic: str
    posts: int
    before: int
    ratio: float | None
    low: float | None
    high: float | None
    verdict: Verdict


def trends(topics: Sequence[str], posts: Sequence[PostStart], now: datetime, days: int) -> list[Trend]:
    """Return the trend of each topic, the steepest first; a post is of the topics whose words it has, all of them."""
    since = now - timedelta(days=days)
    found = []
    for topic in topics:
        wanted = set(words_of(topic))
        ours = [each for each in posts if wanted and wanted <= set(words_of(each.text)) and each.is_finished(now)]
        late = np.array([each.engagements_1d for each in ours if each.published_at >= since], dtype=np.float64)
        early = np.array([each.engagements_1d for each in ours if each.published_at < since], dtype=np.float64)
        found.append(_trend(topic, late, early, ERROR / len(topics)))
    return sorted(found, key=lambda each: (each.ratio is None, -(each.ratio or 0), each.topic))


def _trend(topic: str, late: Floats, early: Floats, error: float) -> Trend:
    """Compare logarithms of engagements (Welch's interval), so that one viral post makes no trend."""
    if min(len(late), len(early)) < LEAST_POSTS or not early.sum():
        return Trend(topic, len(late), len(early), None, None, None, "too little history")
    late, early = np.log(late + 1), np.log(early + 1)
    moved = float(late.mean() - early.mean())
    spread = math.sqrt(late.var(ddof=1) / len(late) + early.var(ddof=1) / len(early))
    reach = widened(error, min(len(late), len(early)) - 1) * spread
    low, high = math.exp(moved - reach), math.exp(moved + reach)
    verdict: Verdict = "rises" if low > 1 else "falls" if high < 1 else "as ever"
    return Trend(topic, len(late), len(early), math.exp(moved), low, high, verdict)


def widened(error: float, free: int) -> float:
    """Return Student's quantile for a two-sided error and degrees of freedom, by Hill's expansion of the normal one."""
    z = NormalDist().inv_cdf(1 - error / 2)
    return (
        z
        + (z**3 + z) / (4 * free)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * free**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * free**3)
    )


@dataclass(frozen=True, slots=True)
class HourOfDay:
    """What posts published in an hour of the persona's own clock bring, times its mean, with its interval."""

    hour: int
    posts: int
    times: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Return what can be said of it."""
        if self.low > 1:
            return "better"
        return "worse" if self.high < 1 else "not enough evidence"


def hours_of_day(posts: Sequence[PostStart], zone: ZoneInfo, now: datetime) -> list[HourOfDay]:
    """Return the hours that have posts, the best first: views of the first day, by the clock on the wall.

    Logarithms are compared, so one viral post makes no hour, and few posts of an hour are drawn to the persona's mean.
    """
    finished = [each for each in posts if each.is_finished(now)]
    if len(finished) < LEAST_POSTS:
        return []
    values = np.array([math.log(each.views_1d + 1) for each in finished])
    mean, spread = float(values.mean()), float(values.std(ddof=1))
    by_hour: dict[int, list[float]] = {}
    for each, value in zip(finished, values.tolist(), strict=True):
        by_hour.setdefault(each.published_at.astimezone(zone).hour, []).append(value)
    found, sure = [], NormalDist().inv_cdf(1 - ERROR / len(by_hour) / 2)
    for hour, ours in by_hour.items():
        share = len(ours) / (len(ours) + SHRINK_POSTS)
        moved = share * (sum(ours) / len(ours) - mean)
        reach = sure * spread / math.sqrt(len(ours) + SHRINK_POSTS)
        bounds = (math.exp(moved), math.exp(moved - reach), math.exp(moved + reach))
        found.append(HourOfDay(hour, len(ours), *bounds))
    return sorted(found, key=lambda each: (-each.times, each.hour))
