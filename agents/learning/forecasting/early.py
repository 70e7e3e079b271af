"""Early forecast: a post's views after a day from its first 10 or 60 minutes, with intervals that keep their word.

How many times a post's early views it has after a day is taken from finished posts; the interval is conformal, the
quantiles of what they did (Vovk et al. 2005): whatever the curves look like, a new post of the same kind is within it
as often as it says.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from agents.learning.forecasting.post_starts import DAY, PostStart

AGES = (10, 60)
"""Ages from which is forecast, minutes."""
SHARE = 0.8
LEAST_POSTS = 30
"""Finished posts without which nothing is forecast."""
_Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class Forecast:
    """Views after a day: the middle and the interval, from how many posts of whom (None: of all personas)."""

    post_id: str
    minutes: int
    views_so_far: int
    views: float
    low: float
    high: float
    posts: int
    persona_id: str | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often the interval held what came, and the 95 % interval of that share; `width`: high / low, the median."""

    minutes: int
    posts: int
    share: float
    low: float
    high: float
    width: float


def forecast(post: PostStart, others: Sequence[PostStart], minutes: int, now: datetime) -> Forecast | None:
    """Return the forecast of a post by other posts that are finished at `now`; None where too few are.

    Posts of its own persona count, where there are enough of them, else those of all personas.
    """
    finished = [each for each in others if each.is_finished(now) and each.post_id != post.post_id]
    own = [each for each in finished if each.persona_id == post.persona_id]
    used = own if len(own) >= LEAST_POSTS else finished
    if len(used) < LEAST_POSTS:
        return None
    growth = sorted(_growth(each, minutes) for each in used)
    so_far, count = post.views_at(minutes), len(growth)
    tail = (1 - SHARE) / 2
    bounds = (math.floor(tail * (count + 1)), math.ceil((1 - tail) * (count + 1)))
    low, high = (growth[min(max(place, 1), count) - 1] for place in bounds)
    middle = (growth[(count - 1) // 2] + growth[count // 2]) / 2
    views = [max(math.exp(each) * (so_far + 1) - 1, so_far) for each in (middle, low, high)]
    persona_id = post.persona_id if used is own else None
    return Forecast(post.post_id, minutes, so_far, views[0], views[1], views[2], count, persona_id)


def _growth(post: PostStart, minutes: int) -> float:
    """Return the logarithm of how many times a post's early views it had after a day; one view is added to both."""
    return math.log((post.views_1d + 1) / (post.views_at(minutes) + 1))


def coverage(posts: Sequence[PostStart], minutes: int, now: datetime) -> Coverage | None:
    """Return how forecasts did on finished posts, each made from what was finished when it had its early age."""
    held, widths = [], []
    for post, found in backtested(posts, minutes, now):
        held.append(found.low - 0.5 <= post.views_1d <= found.high + 0.5)
        widths.append((found.high + 1) / (found.low + 1))
    if not held:
        return None
    count, share = len(held), sum(held) / len(held)
    middle = (share + _Z95**2 / (2 * count)) / (1 + _Z95**2 / count)
    reach = _Z95 / (1 + _Z95**2 / count) * math.sqrt(share * (1 - share) / count + _Z95**2 / (4 * count**2))
    return Coverage(minutes, count, share, middle - reach, middle + reach, sorted(widths)[count // 2])


def backtested(posts: Sequence[PostStart], minutes: int, now: datetime) -> Iterator[tuple[PostStart, Forecast]]:
    """Yield each finished post with the forecast that could be made of it at its time."""
    ordered = sorted(posts, key=lambda each: (each.published_at, each.post_id))
    for post in ordered:
        if post.is_finished(now):
            known = [each for each in ordered if each.published_at + DAY <= post.published_at]
            found = forecast(post, known, minutes, post.published_at)
            if found is not None:
                yield post, found
