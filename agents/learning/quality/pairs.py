"""Pairs of posts: two of one persona, published near each other, so that the level of its audience cancels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from statistics import median

import numpy as np
from numpy.typing import NDArray

from agents.learning.quality.posts import FEATURES, Post

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]

NEAR = timedelta(days=14)
NEIGHBOURS = 8
"""Each post meets so many later ones of its persona, at most."""
MOST_TIMES_THE_MEDIAN = 8.0
"""What a post brought counts up to so many times the median rate of its persona: more is bought, or luck."""
_HALF = 0.5
_LEAST_LUCK = 0.05
_CLEAR_DIFFERENCE = 3.0


@dataclass(frozen=True, slots=True)
class PostPairs:
    """Pairs in which `better` had the greater rate than `worse`; rows of `posts`, ties left out.

    `differences`, shape (pairs, features), are the features of the better one less those of the other. `evidence` in
    (0, 1] is the share of the variance of their log rates that is not the chance of counting; `weights` divide that by
    how many pairs the posts are in. `capped` posts count for less than they brought.
    """

    posts: Sequence[Post]
    better: Numbers
    worse: Numbers
    differences: Floats
    evidence: Floats
    weights: Floats
    capped: int

    def __len__(self) -> int:
        return len(self.better)


def pairs_of(posts: Sequence[Post]) -> PostPairs:
    """Return the pairs of posts, whatever the order in which these are given.

    The log rate of a post has the variance 1 / engagements of counting, and that of its luck: views are not tossed one
    by one, a feed shows a post to more after it did well. The latter is the same for all posts and is estimated from
    the pairs; so a post with a million views weighs little more than one with some thousand.
    """
    ordered = sorted(posts, key=lambda each: (each.persona_id, each.published_at, each.post_id))
    rates, chance, capped = _log_rates(ordered)
    first, second = _near(ordered)
    gaps = rates[first] - rates[second]
    told = gaps != 0
    first, second, gaps = first[told], second[told], gaps[told]
    better, worse = np.where(gaps > 0, first, second), np.where(gaps > 0, second, first)
    noise = (chance[better] + chance[worse]) / 2
    luck = _luck(gaps, noise)
    evidence = luck / (luck + noise)
    degrees = np.bincount(np.concatenate([better, worse]), minlength=len(ordered)).astype(np.float64)
    features = np.array([each.features for each in ordered], np.float64).reshape(len(ordered), len(FEATURES))
    return PostPairs(
        posts=ordered,
        better=better,
        worse=worse,
        differences=features[better] - features[worse],
        evidence=evidence,
        weights=2 * evidence / (degrees[better] + degrees[worse]),
        capped=capped,
    )


def _log_rates(ordered: Sequence[Post]) -> tuple[Floats, Floats, int]:
    """Return the log rates of posts ordered by persona, the variances of counting, and how many were capped."""
    rates, chance, capped = list[float](), list[float](), 0
    for _, group in groupby(ordered, key=lambda each: each.persona_id):
        own = list(group)
        logs = [_log_rate(min(max(each.engagements, 0), each.views), each.views) for each in own]
        most = median(logs) + math.log(MOST_TIMES_THE_MEDIAN)
        for each, log in zip(own, logs, strict=True):
            kept = min(log, most)
            capped += log > most or each.engagements > each.views
            rates.append(kept)
            chance.append(1 / (math.exp(kept) * (each.views + 1)))
    return np.array(rates, np.float64), np.array(chance, np.float64), capped


def _log_rate(engagements: int, views: int) -> float:
    return math.log((engagements + _HALF) / (views + 1))


def _near(ordered: Sequence[Post]) -> tuple[Numbers, Numbers]:
    first, second = list[int](), list[int]()
    for place, post in enumerate(ordered):
        for other in range(place + 1, min(place + 1 + NEIGHBOURS, len(ordered))):
            later = ordered[other]
            if later.persona_id != post.persona_id or later.published_at - post.published_at > NEAR:
                break
            first.append(place)
            second.append(other)
    return np.array(first, np.intp), np.array(second, np.intp)


def _luck(gaps: Floats, noise: Floats) -> float:
    """Return the variance of log rates that is not the chance of counting: half the mean square of gaps less that."""
    if not len(gaps):
        return _LEAST_LUCK
    squares = np.minimum(np.abs(gaps), _CLEAR_DIFFERENCE) ** 2
    return max(math.fsum((squares / 2 - noise).tolist()) / len(gaps), _LEAST_LUCK)
