"""The quality of a draft: the weighted mean of its features, and the gates that no other feature outweighs."""

from __future__ import annotations

from collections.abc import Sequence

from agents.scoring import features
from agents.scoring.hook_strength import hook_strength
from agents.scoring.novelty import NOTHING_SAID
from agents.scoring.repetition import coherence
from schemas.records import DraftGenerated, Quality, QualityFeature

WEIGHTS = {
    "hook_strength": 0.20,
    "readability": 0.15,
    "specificity": 0.20,
    "length_fit": 0.10,
    "coherence": 0.12,
    "language_match": 0.08,
    "novelty": 0.10,
    "safety": 0.05,
}
GATES = {"safety": 1.0, "coherence": 0.3, "language_match": 0.4}
"""Least values without which a draft fails, whatever its score."""


def score_draft(
    draft: DraftGenerated,
    *,
    banned_phrases: Sequence[str],
    threshold: float,
    novelty: features.Scored = NOTHING_SAID,
) -> Quality:
    """Return the quality of a draft in [0, 1]; it passes at the threshold or above it with every gate met.

    `novelty` says how new it is against what its persona said lately (novelty.py), and why.
    """
    found = {
        "hook_strength": hook_strength(draft.hook, draft.language),
        "readability": features.readability(draft.text, is_whole=features.ends_whole(draft.body or draft.hook)),
        "specificity": features.specificity(draft.text, draft.language),
        "length_fit": features.length_fit(draft.text),
        "coherence": coherence(draft.text),
        "language_match": features.language_match(draft.text, draft.language),
        "novelty": novelty,
        "safety": features.safety(draft.text, banned_phrases),
    }
    score = sum(WEIGHTS[name] * value for name, (value, _) in found.items())
    gated = all(found[name][0] >= least for name, least in GATES.items())
    return Quality(
        score=round(score, 6),
        threshold=threshold,
        passed=gated and round(score, 6) >= threshold,
        features=tuple(
            QualityFeature(name=name, value=round(value, 6), weight=WEIGHTS[name], reason=reason)
            for name, (value, reason) in found.items()
        ),
    )


def failures(quality: Quality) -> tuple[str, ...]:
    """Return why a quality does not pass, one reason each; empty when it passes."""
    if quality.passed:
        return ()
    reasons = [
        f"quality: {each.name} {each.value:.2f} is under {GATES[each.name]:.2f}: {each.reason}"
        for each in quality.features
        if each.name in GATES and each.value < GATES[each.name]
    ]
    if quality.score < quality.threshold:
        reasons.append(f"quality: score {quality.score:.2f} is under {quality.threshold:.2f}{_weakest(quality)}")
    return tuple(reasons) or (f"quality: did not pass with score {quality.score:.2f}",)


def _weakest(quality: Quality) -> str:
    if not quality.features:  # a foreign producer may leave them out
        return ", and no features say why"
    weakest = min(quality.features, key=lambda each: (each.value - 1.0) * each.weight)
    return f", mostly for {weakest.name} {weakest.value:.2f}: {weakest.reason}"
