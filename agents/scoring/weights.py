"""The weights of the quality score that are in force: the built-in ones, or those of a model that was promoted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "hook_strength": 0.20,
        "readability": 0.15,
        "specificity": 0.20,
        "length_fit": 0.10,
        "coherence": 0.12,
        "language_match": 0.08,
        "novelty": 0.10,
        "safety": 0.05,
    }
)
"""The built-in weights: what counts where no model is in force."""
GATES: Mapping[str, float] = MappingProxyType({"safety": 1.0, "coherence": 0.3, "language_match": 0.4})
"""Least values without which a draft fails, whatever its score, under any weights."""


@dataclass(frozen=True, slots=True)
class QualityWeights:
    """Weights by feature, at least 0 and 1 together; `threshold_shift` is added to the least score that passes."""

    version: str
    weights: Mapping[str, float]
    threshold_shift: float = 0.0

    def threshold(self, built_in: float) -> float:
        """Return the least score that passes under these weights, where it is `built_in` under the built-in ones."""
        return min(max(round(built_in + self.threshold_shift, 6), 0.0), 1.0)


BUILT_IN = QualityWeights("built-in", WEIGHTS)


class WeightsInForce(Protocol):
    """Says which weights count now."""

    def now(self) -> QualityWeights:
        """Return the weights in force, as of the last `refresh`."""
        ...

    async def refresh(self, *, max_age_s: float = 0.0) -> None:
        """Learn what was put in force, unless that was done in the last `max_age_s` seconds.

        Raises:
            Unavailable: that can't be learned now; what is known stays known.
        """
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


class BuiltInWeights:
    """The built-in weights, for good."""

    def now(self) -> QualityWeights:
        return BUILT_IN

    async def refresh(self, *, max_age_s: float = 0.0) -> None:
        """Nothing is read."""

    async def close(self) -> None:
        """Nothing is open."""
