"""The threshold of quality, from labelled drafts: where good and bad are told apart best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Optimum:
    """The best threshold: any within `low` to `high` tells good from bad equally well; `youden_j` is in [-1, 1]."""

    low: float
    high: float
    youden_j: float

    @property
    def middle(self) -> float:
        """Return the middle of the flat optimum, which is farthest from changing a decision."""
        return (self.low + self.high) / 2


@dataclass(frozen=True, slots=True)
class Confusion:
    """How decisions compare with labels; a pass is a positive."""

    true_passes: int
    false_passes: int
    true_fails: int
    false_fails: int

    @property
    def precision(self) -> float:
        """Return the share of good drafts among those that pass."""
        return self.true_passes / max(self.true_passes + self.false_passes, 1)

    @property
    def recall(self) -> float:
        """Return the share of good drafts that pass."""
        return self.true_passes / max(self.true_passes + self.false_fails, 1)

    @property
    def youden_j(self) -> float:
        """Return recall + specificity - 1, in [-1, 1]."""
        return 2 * self.balanced_accuracy - 1

    @property
    def balanced_accuracy(self) -> float:
        """Return the mean of the shares of good drafts that pass and of bad drafts that fail."""
        return (self.recall + self.true_fails / max(self.true_fails + self.false_passes, 1)) / 2


def best_threshold(scores: Sequence[float], good: Sequence[bool]) -> Optimum:
    """Return the thresholds with the greatest Youden's J (recall + specificity - 1); a score at or above one passes.

    Raises:
        ValueError: there is no good or no bad draft to tell apart.
    """
    values, labels = np.asarray(scores, float), np.asarray(good, bool)
    if not labels.any() or labels.all():
        raise ValueError("a threshold needs good and bad drafts, got one kind only: label some of the other")
    cuts = np.unique(values)
    j = _recall(values[labels], cuts) - _recall(values[~labels], cuts)
    best = int(np.argmax(j))
    low = float(cuts[best - 1]) if best else 0.0  # a threshold above the score below it decides the same
    return Optimum(low, float(cuts[best]), float(j[best]))


def _recall(values: NDArray[np.float64], cuts: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((values[None, :] >= cuts[:, None]).mean(axis=1), float)


def confusion(scores: Sequence[float], good: Sequence[bool], threshold: float) -> Confusion:
    """Return how a threshold decides."""
    return _counted([(score >= threshold, label) for score, label in zip(scores, good, strict=True)])


def leave_one_out(scores: Sequence[float], good: Sequence[bool]) -> Confusion:
    """Return how every draft is decided by the threshold that all others give: what to expect of unseen drafts."""
    decided = []
    for place, (score, label) in enumerate(zip(scores, good, strict=True)):
        others = best_threshold([*scores[:place], *scores[place + 1 :]], [*good[:place], *good[place + 1 :]])
        decided.append((score >= others.middle, label))
    return _counted(decided)


def _counted(decided: Sequence[tuple[bool, bool]]) -> Confusion:
    """Count decisions by whether they passed and whether they were right to."""
    return Confusion(
        true_passes=sum(passed and label for passed, label in decided),
        false_passes=sum(passed and not label for passed, label in decided),
        true_fails=sum(not passed and not label for passed, label in decided),
        false_fails=sum(not passed and label for passed, label in decided),
    )


def area_under_curve(scores: Sequence[float], good: Sequence[bool]) -> float:
    """Return how often a good draft scores above a bad one, ties as half (AUC of the ROC curve)."""
    values, labels = np.asarray(scores, float), np.asarray(good, bool)
    above = values[labels][:, None] - values[~labels][None, :]
    return float(((above > 0) + 0.5 * (above == 0)).mean())
