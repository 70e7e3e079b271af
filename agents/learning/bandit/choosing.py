"""Choosing: which hook style a draft is asked in, by Thompson sampling, and with which probability it was that one.

The probability with which each style would be drawn is computed once for a version of the arms; a draft's id then picks
one of them. So the propensity is exact by construction, and whoever has the draft's id and the version gets the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np

from agents.learning.bandit.arms import POLICY, BanditPolicy, prior_views
from schemas.records import HookArm

DRAWS = 20_000
_GRAIN = 10_000  # propensities are multiples of its inverse


@dataclass(frozen=True, slots=True)
class Arms:
    """The arms in force of a persona, and their version."""

    version: str
    arms: tuple[HookArm, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A style, the probability with which it was chosen, and the version of the arms, None where there were none."""

    style: str
    propensity: float
    arms_version: str | None


def choose(arms: Arms | None, styles: Sequence[str], draft_id: str, policy: BanditPolicy = POLICY) -> Choice:
    """Choose one of a persona's styles for a draft; without arms, each with the same probability.

    Raises:
        ValueError: there is no style.
    """
    if not styles:
        raise ValueError("expected at least one hook style, got none")
    version = arms.version if arms else None
    found = propensities(arms, tuple(dict.fromkeys(styles)), policy)
    at = place_of(f"{version or ''}|{draft_id}")
    for style, upto in zip(found, accumulate(found.values()), strict=True):
        if at < upto:
            return Choice(style, found[style], version)
    last = max(style for style, share in found.items() if share > 0)  # the sum is 1 but for rounding
    return Choice(last, found[last], version)


def place_of(text: str) -> float:
    """Return a number in [0, 1) that follows from a text, on every machine the same."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


@lru_cache(maxsize=4096)
def propensities(arms: Arms | None, styles: tuple[str, ...], policy: BanditPolicy = POLICY) -> dict[str, float]:
    """Return the probability of each style, adding up to 1: of being the best, and at least the floor's share.

    A style that the arms do not know is as good as the mean of the others, and as unknown as a new one.
    """
    count = len(styles)
    if arms is None or not arms.arms or count == 1:
        return dict.fromkeys(styles, 1 / count)
    known = {each.style: each for each in arms.arms}
    parameters = [_parameters(known.get(style), arms, policy) for style in styles]
    seed = int.from_bytes(hashlib.sha256(f"{arms.version}|{'|'.join(styles)}".encode()).digest()[:8], "big")
    alpha, beta = (np.array(each) for each in zip(*parameters, strict=True))
    drawn = np.random.Generator(np.random.PCG64(seed)).beta(alpha, beta, size=(DRAWS, count))
    tired = np.array([_tired(known.get(style), count, policy) for style in styles])
    best = np.bincount(np.argmax(drawn * tired, axis=1), minlength=count) / DRAWS
    return dict(zip(styles, _rounded((1 - policy.floor) * best + policy.floor / count), strict=True))


def likely_rates(arm: HookArm, share: float = 0.8) -> tuple[float, float]:
    """Return the bounds between which a style's engagement rate is with a probability, by draws of a fixed seed."""
    drawn = np.random.Generator(np.random.PCG64(0)).beta(arm.alpha, arm.beta, size=DRAWS)
    low, high = np.quantile(drawn, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)


def _parameters(arm: HookArm | None, arms: Arms, policy: BanditPolicy) -> tuple[float, float]:
    if arm is not None:
        return arm.alpha, arm.beta
    hits = sum(each.alpha for each in arms.arms)
    rate = hits / (hits + sum(each.beta for each in arms.arms))
    views = prior_views(rate, policy)
    return views * rate, views * (1 - rate)


def _tired(arm: HookArm | None, count: int, policy: BanditPolicy) -> float:
    """Return what is left of a style's rate when its share of the last posts is over an equal one."""
    share = arm.recent_share if arm else 0.0
    return 1 - policy.fatigue * max(share - 1 / count, 0.0)


def _rounded(shares: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float]:
    """Return the shares as multiples of the grain that add up to 1; what is left goes to the greatest remainders."""
    grains = np.floor(shares * _GRAIN).astype(np.int64)
    left = _GRAIN - int(grains.sum())
    order = np.argsort(-(shares * _GRAIN - grains), kind="stable")
    grains[order[:left]] += 1
    return [int(each) / _GRAIN for each in grains]
