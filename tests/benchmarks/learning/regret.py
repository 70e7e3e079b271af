"""Lost clicks: ways of choosing arms, replayed over randomized tests with a fixed seed.

Each test is a problem of its own whose arms are clicked at the rates that the test found. Views come by posts, all of
one arm, as they do on a platform: what a post brings is known when the next is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.learning.arms_of_tests import Floats, TestArms

Ints = NDArray[np.int64]
POST_VIEWS = 25
HORIZONS = (100, 300, 1_000, 3_000)
"""Views an arm after which lost clicks are told."""
EPSILON = 0.1
RESAMPLES = 1_000
EQUAL = "equal split"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a policy knows: views and clicks by test and arm, the arms, how many posts there were, and its chance."""

    views: Floats
    clicks: Floats
    arms: TestArms
    posts: int
    chance: np.random.Generator


Policy = Callable[[Seen], Floats]
"""Returns a value for each test and arm: the greatest is chosen."""


def equal_split(seen: Seen) -> Floats:
    """Take the arm with the fewest views."""
    return -seen.views


def epsilon_greedy(seen: Seen) -> Floats:
    """Take the best so far, any with probability EPSILON."""
    values = _rates(seen) + np.where(seen.views == 0, 1.0, 0.0)
    explores = seen.chance.random(len(values)) < EPSILON
    return np.where(explores[:, None], seen.chance.random(values.shape), values)


def ucb1(seen: Seen) -> Floats:
    """Take the arm with the greatest upper confidence bound (Auer et al. 2002)."""
    total = np.log(np.maximum(seen.views.sum(axis=1, keepdims=True), 2.0))
    return np.where(seen.views == 0, np.inf, _rates(seen) + np.sqrt(2 * total / np.maximum(seen.views, 1)))


def thompson_flat(seen: Seen) -> Floats:
    """Draw from Beta(1 + clicks, 1 + others): nothing is known before."""
    return np.asarray(seen.chance.beta(1 + seen.clicks, 1 + seen.views - seen.clicks))


def thompson(seen: Seen) -> Floats:
    """Draw with a prior of other tests: their mean rate, worth as many views as their arms differ little."""
    arms = seen.arms
    return _drawn(seen, np.broadcast_to(arms.base[:, None], seen.views.shape), arms.base_views)


def thompson_with_predictor(seen: Seen) -> Floats:
    """Draw with the predictor as prior, worth as many views as it leaves little unexplained."""
    return _drawn(seen, seen.arms.foretold, seen.arms.views)


def ucb_with_predictor(seen: Seen) -> Floats:
    """Take the greatest bound of the posterior, with the predictor as prior: LOLA's way."""
    worth = seen.arms.views[:, None]
    views, clicks = seen.views + worth, seen.clicks + worth * seen.arms.foretold
    rate = clicks / views
    return np.asarray(rate + 2 * np.sqrt(rate * (1 - rate) / views))


POLICIES: Mapping[str, Policy] = {
    EQUAL: equal_split,
    "epsilon-greedy": epsilon_greedy,
    "UCB1": ucb1,
    "Thompson, flat prior": thompson_flat,
    "Thompson": thompson,
    "UCB + predictor (LOLA)": ucb_with_predictor,
    "Thompson + predictor": thompson_with_predictor,
}


@dataclass(frozen=True, slots=True)
class Regret:
    """Clicks that a policy lost against always taking the best arm; shape (tests, horizons)."""

    policy: str
    lost: Floats

    def saved_against(self, other: Regret) -> list[Saving]:
        """Return by horizon how much less it lost than another, resampled by test."""
        drawn = np.random.default_rng(0).integers(0, len(self.lost), (RESAMPLES, len(self.lost)))
        ratios = 1 - self.lost[drawn].sum(axis=1) / other.lost[drawn].sum(axis=1)
        low, high = np.quantile(ratios, [0.025, 0.975], axis=0)
        shares = 1 - self.lost.sum(axis=0) / other.lost.sum(axis=0)
        return [Saving(*each) for each in zip(shares.tolist(), low.tolist(), high.tolist(), strict=True)]


@dataclass(frozen=True, slots=True)
class Saving:
    """A share of lost clicks that was saved, and its 95 % interval."""

    share: float
    low: float
    high: float


def lost_clicks(arms: TestArms, policy: Policy, seed: int, horizons: Sequence[int] = HORIZONS) -> Floats:
    """Return clicks lost by test and horizon, shape (tests, horizons)."""
    chance = np.random.default_rng(seed)
    tests, counts = len(arms.rate), arms.there.sum(axis=1)
    best = np.where(arms.there, arms.rate, 0.0).max(axis=1)
    views, clicks = np.zeros(arms.rate.shape), np.zeros(arms.rate.shape)
    lost, found = np.zeros(tests), np.zeros((tests, len(horizons)))
    ends = np.ceil(np.outer(counts, horizons) / POST_VIEWS).astype(np.int64)
    rows = np.arange(tests)
    for post in range(int(ends.max())):
        values = policy(Seen(views, clicks, arms, post, chance)) + 1e-9 * chance.random(views.shape)
        chosen = np.where(arms.there, values, -np.inf).argmax(axis=1)
        hits = chance.binomial(POST_VIEWS, arms.rate[rows, chosen])
        views[rows, chosen] += POST_VIEWS
        clicks[rows, chosen] += hits
        lost += POST_VIEWS * (best - arms.rate[rows, chosen])
        found = np.where(ends == post + 1, lost[:, None], found)
    return found


def regrets(
    arms: TestArms, seeds: Sequence[int] = (1, 2, 3), policies: Mapping[str, Policy] = POLICIES
) -> Iterator[Regret]:
    """Yield what each policy loses, the mean of some seeds; equal split comes first."""
    for name, policy in policies.items():
        yield Regret(name, np.mean([lost_clicks(arms, policy, seed) for seed in seeds], axis=0))


def _rates(seen: Seen) -> Floats:
    return np.asarray(seen.clicks / np.maximum(seen.views, 1))


def _drawn(seen: Seen, rate: Floats, worth: Floats) -> Floats:
    alpha = worth[:, None] * rate + seen.clicks
    beta = worth[:, None] * (1 - rate) + seen.views - seen.clicks
    return np.asarray(seen.chance.beta(alpha, beta))
