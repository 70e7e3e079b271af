"""Sequential comparison: styles by their posts' engagement rates, valid whenever and however often one looks.

The unit is the post, whose views are correlated, not the view. Rates are weighted by what a post's views are worth, and
differences have an asymptotic confidence sequence, the normal mixture of Robbins (Waudby-Smith et al. 2024:
Time-uniform central limit theory and asymptotic confidence sequences): over all looks at a pair, and by Bonferroni over
all pairs, a false difference is told with at most the experiment's error. It is asymptotic, so nothing is told of few
posts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from agents.learning.bandit.arms import dispersion
from schemas.records import Experiment, HookReward

LEAST_POSTS = 12
"""Posts of each style before anything is told of it."""
BEST_AT = 80
"""Posts of a pair at which its sequence is narrowest."""
UNEVEN = 0.001
"""Probability under which shares of posts are no chance."""
_DRAWS = 20_000


@dataclass(frozen=True, slots=True)
class StyleFigures:
    """What is known of one style: posts that were seen, their views, and their mean rate with its variance."""

    style: str
    posts: int
    views: int
    engagements: int
    rate: float
    variance: float
    stopped: bool

    @property
    def is_told(self) -> bool:
        """Tell whether there are posts enough to say something."""
        return self.posts >= LEAST_POSTS


@dataclass(frozen=True, slots=True)
class Difference:
    """How much more one style brings than another, with the interval that holds over all looks."""

    better: str
    worse: str
    value: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Tell whether chance does not explain it."""
        return self.low > 0


@dataclass(frozen=True, slots=True)
class Look:
    """One look at an experiment. `uneven` is how probable such shares of posts are by chance."""

    figures: tuple[StyleFigures, ...]
    differences: tuple[Difference, ...]
    uneven: float

    @property
    def is_uneven(self) -> bool:
        """Tell whether the shares of posts are no chance: then nothing else may be believed."""
        return self.uneven < UNEVEN

    @property
    def losers(self) -> tuple[str, ...]:
        """Return the styles that are clearly worse than one that is still compared."""
        if self.is_uneven:
            return ()
        going = {each.style for each in self.figures if not each.stopped}
        lost = {each.worse for each in self.differences if each.is_clear and {each.worse, each.better} <= going}
        return tuple(each.style for each in self.figures if each.style in lost)


def look_at(experiment: Experiment, rewards: Iterable[HookReward]) -> Look:
    """Return what the rewards of an experiment say, at its age; of a post the greatest revision counts."""
    newest: dict[str, HookReward] = {}
    for each in rewards:
        if each.choice.experiment_id == experiment.experiment_id and each.age_hours == experiment.age_hours:
            known = newest.get(each.post_id)
            if known is None or known.revision < each.revision:
                newest[each.post_id] = each
    seen = sorted((each for each in newest.values() if each.views > 0), key=lambda each: each.post_id)
    spread = dispersion(seen)
    figures = tuple(_figures(style, seen, spread, style in experiment.stopped_styles) for style in experiment.styles)
    pairs = list(combinations([each for each in figures if each.is_told], 2))
    error = experiment.error / max(math.comb(len(experiment.styles), 2), 1)
    differences = tuple(_difference(one, other, error) for one, other in pairs)
    return Look(figures, differences, probability_of_shares([each.posts for each in figures if not each.stopped]))


def _figures(style: str, rewards: Sequence[HookReward], spread: float, stopped: bool) -> StyleFigures:  # noqa: FBT001
    ours = [each for each in rewards if each.choice.style == style]
    rates = np.array([min(each.engagements / each.views, 1.0) for each in ours])
    worth = np.array([each.views / (1 + (each.views - 1) * spread) for each in ours])
    rate = float((worth * rates).sum() / worth.sum()) if ours else 0.0
    free = len(ours) - 1
    around = float(((worth * (rates - rate)) ** 2).sum() / worth.sum() ** 2) if free > 0 else math.inf
    views, engagements = (sum(getattr(each, name) for each in ours) for name in ("views", "engagements"))
    variance = around * len(ours) / free if free > 0 else math.inf
    return StyleFigures(style, len(ours), views, engagements, rate, variance, stopped)


def _difference(one: StyleFigures, other: StyleFigures, error: float) -> Difference:
    better, worse = (one, other) if one.rate >= other.rate else (other, one)
    value = better.rate - worse.rate
    margin = math.sqrt(one.variance + other.variance) * boundary(one.posts + other.posts, error)
    return Difference(better.style, worse.style, value, value - margin, value + margin)


def boundary(posts: int, error: float) -> float:
    """Return how many standard errors a mean may be off, over all numbers of posts, but for a probability."""
    tuned = (-2 * math.log(error) + math.log(-2 * math.log(error) + 1)) / BEST_AT
    known = posts * tuned
    return math.sqrt((known + 1) / known * 2 * math.log(math.sqrt(known + 1) / error))


def posts_needed(figures: Sequence[StyleFigures], error: float, lift: float = 0.2) -> int | None:
    """Return about how many posts a style would show a lift of the best rate; None while too little is known."""
    told = [each for each in figures if each.is_told and each.rate > 0]
    if len(told) < 2:  # noqa: PLR2004 - a pair
        return None
    rate = max(each.rate for each in told)
    one_post = max(each.variance * each.posts for each in told)
    posts = LEAST_POSTS
    pairs = max(math.comb(len(figures), 2), 1)
    while math.sqrt(2 * one_post / posts) * boundary(2 * posts, error / pairs) > lift * rate:
        posts = math.ceil(posts * 1.05)
    return posts


def probability_of_shares(posts: Sequence[int]) -> float:
    """Return how probable shares as uneven as these are where each post falls to each style alike: by fixed draws."""
    total = sum(posts)
    if len(posts) < 2 or not total:  # noqa: PLR2004 - a pair
        return 1.0
    even = total / len(posts)
    seen = sum((each - even) ** 2 for each in posts)
    drawn = np.random.default_rng(0).multinomial(total, [1 / len(posts)] * len(posts), size=_DRAWS)
    return float((((drawn - even) ** 2).sum(axis=1) >= seen - 1e-9).mean())


def verdict(experiment: Experiment, look: Look) -> str:
    """Return what a look says, in words."""
    if look.is_uneven:
        posts = " to ".join(f"{each.posts}" for each in look.figures if not each.stopped)
        least = max(look.uneven, 1 / _DRAWS)
        return (
            f"the shares of posts are no chance ({posts}, p < {least:.5f}): don't trust the rates; "
            "are drafts of one style refused more often, or posts of one deleted?"
        )
    if experiment.winner:
        return f"{experiment.winner} won"
    if look.losers:
        command = f"threads-agent experiments show {experiment.experiment_id} --apply"
        return f"clearly worse: {', '.join(look.losers)}; `{command}` stops it"
    needed = posts_needed(look.figures, experiment.error)
    if needed is None:
        return f"not enough evidence: {LEAST_POSTS} posts of each style are needed before anything is told"
    return f"not enough evidence: about {needed:,} posts a style would show a difference of 20 %"
