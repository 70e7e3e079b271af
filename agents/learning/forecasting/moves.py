"""What moves: topics against their own history, and the hours of the day at which a persona's posts do well. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from agents.learning.forecasting.post_starts import PostStart
from agents.scoring.words import words_of

LEAST_POSTS = 5
SHRINK_POSTS = 5.0
"""Posts' worth of the persona's own mean that an hour is drawn to."""
_Z80 = 1.281552
_RESAMPLES = 2_000
Floats = NDArray[np.float64]
Verdict = Literal["rises", "falls", "as ever", "too little history"]


@dataclass(frozen=True, slots=True)
class Trend:
    """A topic's engagements a post in the last days over those before, with an 80 % interval; None with few posts."""

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
        found.append(_trend(topic, late, early))
    return sorted(found, key=lambda each: (each.ratio is None, -(each.ratio or 0), each.topic))


def _trend(topic: str, late: Floats, early: Floats) -> Trend:
    if min(len(late), len(early)) < LEAST_POSTS or not early.sum():
        return Trend(topic, len(late), len(early), None, None, None, "too little history")
    chance = np.random.default_rng(0)
    drawn = [each[chance.integers(0, len(each), (_RESAMPLES, len(each)))].mean(axis=1) for each in (late, early)]
    ratios = (drawn[0] + 0.5) / (drawn[1] + 0.5)
    low, high = np.quantile(ratios, [0.1, 0.9])
    verdict: Verdict = "rises" if low > 1 else "falls" if high < 1 else "as ever"
    ratio = float((late.mean() + 0.5) / (early.mean() + 0.5))
    return Trend(topic, len(late), len(early), ratio, float(low), float(high), verdict)


@dataclass(frozen=True, slots=True)
class HourOfDay:
    """What posts published in an hour of the persona's own clock bring, times its mean, with an 80 % interval."""

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
    found = []
    for hour, ours in by_hour.items():
        share = len(ours) / (len(ours) + SHRINK_POSTS)
        moved = share * (sum(ours) / len(ours) - mean)
        reach = _Z80 * spread / math.sqrt(len(ours) + SHRINK_POSTS)
        bounds = (math.exp(moved), math.exp(moved - reach), math.exp(moved + reach))
        found.append(HourOfDay(hour, len(ours), *bounds))
    return sorted(found, key=lambda each: (-each.times, each.hour))
