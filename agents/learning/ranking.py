"""Ranking: some hooks in the order in which readers would take them, with probabilities and reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from agents.learning.calibration import probability
from agents.learning.evidence.headline_tests import Floats
from agents.learning.llm_judge import Judged
from agents.learning.model import HookModel


@dataclass(frozen=True, slots=True)
class RankedHook:
    """A hook, the probability that it is preferred to the mean other one, and why."""

    hook: str
    beats_another: float
    reasons: list[str]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Hooks, the best first; `beats` is the probability that each row's hook is preferred to each column's."""

    hooks: list[RankedHook]
    beats: Floats

    def as_object(self) -> dict[str, object]:
        """Return what `learning predict --json` prints."""
        return {
            "best": self.hooks[0].hook,
            "probability": round(float(self.beats[0, 1]), 4),  # that it is preferred to the next
            "hooks": [
                {"hook": each.hook, "beats_another": round(each.beats_another, 4), "reasons": each.reasons}
                for each in self.hooks
            ],
            "beats": np.round(self.beats, 4).tolist(),
        }


def ranked(model: HookModel, hooks: Sequence[str]) -> Ranking:
    """Return two or more different hooks ranked: should readers clearly prefer one of two, with which probability."""
    strengths = model.strengths(hooks)
    order = np.argsort(-strengths, kind="stable")
    beats = probability(strengths[order][:, None] - strengths[order][None, :], model.slope)
    reasons = model.reasons(hooks)
    return _ranking([hooks[number] for number in order], [reasons[number] for number in order], beats)


def judged_pairs(hooks: Sequence[str]) -> list[tuple[str, str]]:
    """Return every two of some hooks once, as a judge is asked of them."""
    return list(combinations(hooks, 2))


def ranked_by_judge(hooks: Sequence[str], judged: Judged) -> Ranking:
    """Return hooks ranked by what a judge said of `judged_pairs`: the best has the greatest mean probability."""
    beats = np.full((len(hooks), len(hooks)), 0.5)
    for (one, other), wins in zip(combinations(range(len(hooks)), 2), judged.first_wins.tolist(), strict=True):
        beats[one, other], beats[other, one] = wins, 1 - wins
    order = np.argsort(-beats.sum(axis=1), kind="stable")
    told = [f"said by {judged.model}"]
    return _ranking([hooks[number] for number in order], [told] * len(hooks), beats[np.ix_(order, order)])


def _ranking(hooks: Sequence[str], reasons: Sequence[list[str]], beats: Floats) -> Ranking:
    others = (beats.sum(axis=1) - 0.5) / (len(hooks) - 1)
    ranked_hooks = zip(hooks, others.tolist(), reasons, strict=True)
    return Ranking([RankedHook(hook, share, why) for hook, share, why in ranked_hooks], beats)
