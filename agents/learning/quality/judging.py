"""Judging weights on posts they have not seen: pairs in the right order, beside those in force on the same pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agents.learning.quality.pairs import Floats, PostPairs
from agents.learning.quality.posts import FEATURES, Features

_NORMAL_95 = 1.959963984540054
_DIGITS = 6
_SCORE_STEP = 1e-6  # scores have six digits


@dataclass(frozen=True, slots=True)
class Judgement:
    """Shares of pairs in the order of their rates, ties of scores as half; `gain` is the first less the second.

    `interval` holds the gain in 95 of 100 such samples; all are None where there is no pair.
    """

    pairs: int
    score: float | None
    incumbent_score: float | None
    gain: float | None
    interval: tuple[float, float] | None


def judged(pairs: PostPairs, weights: Mapping[str, float], incumbent: Mapping[str, float]) -> Judgement:
    """Return how weights do beside those in force.

    Pairs that share a post are not independent, so the variance of the gain counts all products of two pairs that share
    one (Aronow, Samii and Assenova, "Cluster-robust variance estimation for dyadic data", 2015).
    """
    if not len(pairs):
        return Judgement(0, None, None, None, None)
    right, right_before = _right(pairs, weights), _right(pairs, incumbent)
    gains = right - right_before
    gain = math.fsum(gains.tolist()) / len(pairs)
    off = gains - gain
    of_posts = np.bincount(pairs.better, off, len(pairs.posts)) + np.bincount(pairs.worse, off, len(pairs.posts))
    alone = float(np.sum(off**2))
    spread = _NORMAL_95 * math.sqrt(max(float(np.sum(of_posts**2)) - alone, alone)) / len(pairs)
    return Judgement(
        pairs=len(pairs),
        score=round(math.fsum(right.tolist()) / len(pairs), _DIGITS),
        incumbent_score=round(math.fsum(right_before.tolist()) / len(pairs), _DIGITS),
        gain=round(gain, _DIGITS),
        interval=(round(gain - spread, _DIGITS), round(gain + spread, _DIGITS)),
    )


def _right(pairs: PostPairs, weights: Mapping[str, float]) -> Floats:
    """Return 1 for each pair whose scores are in the order of the rates, a half where they are the same; else 0."""
    margins: Floats = np.round(np.einsum("pf,f->p", pairs.differences, _row(weights)), 9)
    return (np.sign(margins) + 1) / 2


def scores(drafts: Sequence[Features], weights: Mapping[str, float]) -> Floats:
    """Return the scores of drafts, shape (drafts,), on six digits as the score stage has them."""
    features = np.array(drafts, np.float64).reshape(len(drafts), len(FEATURES))
    scored: Floats = np.round(np.einsum("df,f->d", features, _row(weights)), _DIGITS)
    return scored


def pass_share(scored: Floats, threshold: float) -> float | None:
    """Return the share of scores that pass, None where there are none."""
    return round(float(np.mean(scored >= threshold)), _DIGITS) if len(scored) else None


def threshold_shift(built_in: Floats, learned: Floats, threshold: float) -> float:
    """Return what to add to the threshold so that as many drafts pass by the learned scores as by the built-in ones.

    Of all thresholds that let so many pass, it is the one nearest to the present one; no draft, no shift.
    """
    if not len(built_in):
        return 0.0
    passing = int(np.sum(built_in >= threshold))
    falling = np.sort(learned)[::-1]
    highest = float(falling[passing - 1]) if passing else 1.0
    lowest = float(falling[passing]) + _SCORE_STEP if passing < len(falling) else 0.0
    return round(max(min(threshold, highest), min(lowest, highest)) - threshold, _DIGITS)


def _row(weights: Mapping[str, float]) -> Floats:
    return np.array([weights[name] for name in FEATURES], np.float64)
