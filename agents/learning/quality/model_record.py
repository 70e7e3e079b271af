"""A model of the quality score as a record of quality.models: its checksum, its version, and what of it can be used."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from agents.scoring.weights import BUILT_IN, QualityWeights
from schemas.records import QualityModel, QualityWeight
from streams.errors import ThreadsError

VERSION_DIGITS = 16
_SUM_TOLERANCE = 1e-6


class BadModel(ThreadsError):
    """A model can't be used; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What training found: weights, and the evidence for them. It has nothing of when, by whom or against whom.

    `holdout_score` is the share in [0, 1] of the holdout's pairs of posts that the weights put in order.
    """

    weights: tuple[QualityWeight, ...]
    threshold_shift: float
    trained_posts: int
    simulated_posts: int
    holdout_posts: int
    holdout_score: float | None

    @property
    def checksum(self) -> str:
        """Return the SHA-256 of all of it, 64 hex digits."""
        says = [
            [[each.name, each.weight] for each in self.weights],
            self.threshold_shift,
            self.trained_posts,
            self.simulated_posts,
            self.holdout_posts,
            self.holdout_score,
        ]
        return sha256(json.dumps(says, separators=(",", ":")).encode()).hexdigest()  # floats in their shortest form

    @property
    def version(self) -> str:
        """Return the first 16 hex digits of the checksum."""
        return self.checksum[:VERSION_DIGITS]


def weights_of(by_name: Mapping[str, float]) -> tuple[QualityWeight, ...]:
    """Return weights as the record has them: in alphabetical order."""
    return tuple(QualityWeight(name=name, weight=by_name[name]) for name in sorted(by_name))


BUILT_IN_LEARNED = Learned(weights_of(BUILT_IN.weights), 0.0, 0, 0, 0, None)
"""The built-in weights, which nobody learned."""


def learned_in(record: QualityModel) -> Learned:
    """Return what a record says was learned, unchecked."""
    return Learned(
        record.weights,
        record.threshold_shift,
        record.trained_posts,
        record.simulated_posts,
        record.holdout_posts,
        record.holdout_score,
    )


def usable_weights(record: QualityModel) -> QualityWeights:
    """Return the weights of a record; those of `built-in` are always this program's own.

    Raises:
        BadModel: it is damaged, or made for other features than this program computes.
    """
    if record.version == BUILT_IN.version:
        return BUILT_IN
    learned, name = learned_in(record), f"quality model {record.version}"
    if learned.checksum != record.checksum or learned.version != record.version:
        raise BadModel(
            f"{name} is damaged, its checksum is another; promote an undamaged version with "
            "`threads-agent learning quality promote VERSION`, or train again"
        )
    weights = {each.name: each.weight for each in record.weights}
    unknown, lacking = sorted(weights.keys() - BUILT_IN.weights), sorted(BUILT_IN.weights.keys() - weights)
    if unknown or lacking:
        says = [f"weighs {', '.join(unknown)}, unknown here"] * bool(unknown)
        says += [f"lacks {', '.join(lacking)}"] * bool(lacking)
        raise BadModel(
            f"{name} is made for other features than this program's: it {' and '.join(says)}; run workers of its "
            "version, or train again with `threads-agent learning quality train`"
        )
    values = list(weights.values())
    is_simplex = all(0 <= each <= 1 for each in values) and abs(math.fsum(values) - 1) <= _SUM_TOLERANCE
    if not is_simplex or len(record.weights) != len(weights) or not abs(record.threshold_shift) <= 1:
        raise BadModel(
            f"{name} has weights that are not from 0 to 1 and 1 together; train again with "
            "`threads-agent learning quality train`"
        )
    return QualityWeights(record.version, weights, record.threshold_shift)
