"""Training: from posts to weights, judged on later posts, and whether they may come into force.

Weights are always learned from the built-in ones on, not from those in force: else each training would count the same
posts once more. So the same log gives the same weights, checksum and version, whatever is in force.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from agents.learning.quality.fitting import fitted_weights
from agents.learning.quality.judging import Judgement, judged, pass_share, scores, threshold_shift
from agents.learning.quality.model_record import Learned, learned_in, weights_of
from agents.learning.quality.pairs import NEAR, pairs_of
from agents.learning.quality.posts import SIMULATED, Material, Post
from agents.scoring.weights import BUILT_IN, QualityWeights
from schemas.records import QualityModel

HOLDOUT_SHARE = 0.3
LEAST_TRAINED_POSTS = 50
LEAST_HOLDOUT_POSTS = 30
LEAST_HOLDOUT_PAIRS = 100
NEAR_ROLLED_BACK = 0.02
"""Weights of which so little would have to be moved to be those of a model that was rolled back, are that model's."""

Outcome = Literal["promoted", "refused", "nothing new", "nothing to learn from"]


@dataclass(frozen=True, slots=True)
class PassRates:
    """Shares in [0, 1] of the drafts scored last that pass, gates met: by the weights in force, and by the new ones.

    `unshifted` is the share that the new ones would let pass without their shift of the threshold.
    """

    drafts: int
    in_force: float | None
    learned: float | None
    unshifted: float | None


@dataclass(frozen=True, slots=True)
class Training:
    """What training found and what becomes of it; `learned` is None where there is nothing to learn from."""

    outcome: Outcome
    reason: str | None
    learned: Learned | None
    judgement: Judgement
    trained_pairs: int
    capped_posts: int
    rates: PassRates
    left_out: dict[str, int]


def split(posts: Iterable[Post]) -> tuple[list[Post], list[Post]]:
    """Return the earlier posts, to learn from, and the later 30 %, to judge on.

    The holdout is by time: weights are for posts to come, and whoever was learned from an earlier log has not seen the
    later posts either, so that the weights in force are judged on what is new to them too.
    """
    ordered = sorted(posts, key=lambda each: (each.published_at, each.post_id))
    if not ordered:
        return [], []
    cut = ordered[min(round(len(ordered) * (1 - HOLDOUT_SHARE)), len(ordered) - 1)].published_at
    return [each for each in ordered if each.published_at < cut], [each for each in ordered if each.published_at >= cut]


def trained(
    material: Material, in_force: QualityWeights, known: Iterable[QualityModel], *, threshold: float
) -> Training:
    """Return the weights that posts speak for, and whether they may come into force in place of those that are.

    `known` are the models there were, `threshold` the least score that passes under the built-in weights.
    """
    earlier, later = split(material.posts)
    pairs, unseen = pairs_of(earlier), pairs_of(later)
    weights = fitted_weights(pairs) if len(pairs) else None
    kept = BUILT_IN.weights if weights is None else weights
    by_built_in, by_learned = scores(material.drafts, BUILT_IN.weights), scores(material.drafts, kept)
    shift = threshold_shift(by_built_in, by_learned, threshold)
    judgement = judged(unseen, kept, in_force.weights)
    learned = Learned(
        weights=weights_of(kept),
        threshold_shift=shift,
        trained_posts=len(earlier),
        simulated_posts=sum(each.is_simulated for each in material.posts),
        holdout_posts=len(later),
        holdout_score=judgement.score,
    )
    rates = PassRates(
        drafts=len(material.drafts),
        in_force=pass_share(scores(material.drafts, in_force.weights), in_force.threshold(threshold)),
        learned=pass_share(by_learned, QualityWeights("", kept, shift).threshold(threshold)),
        unshifted=pass_share(by_learned, threshold),
    )
    outcome, reason = (
        _nothing(material, len(earlier), len(pairs))
        if weights is None
        else _outcome(learned, judgement, in_force, list(known))
    )
    return Training(
        outcome=outcome,
        reason=reason,
        learned=None if weights is None else learned,
        judgement=judgement,
        trained_pairs=len(pairs),
        capped_posts=pairs.capped + unseen.capped,
        rates=rates,
        left_out=material.left_out,
    )


def _nothing(material: Material, earlier: int, pairs: int) -> tuple[Outcome, str | None]:
    simulated = material.left_out.get(SIMULATED, 0)
    if not material.posts:
        why = "there is no post with its reward of 24 hours and the features of its draft"
    elif not pairs:
        why = f"of {earlier:,} earlier posts no two of one persona, within {NEAR.days} days, brought different rates"
    else:
        why = "no feature of the posts goes with what they brought"
    return "nothing to learn from", why + (f"; {simulated:,} are simulated: --simulated takes them" * bool(simulated))


def _outcome(
    learned: Learned, judgement: Judgement, in_force: QualityWeights, known: list[QualityModel]
) -> tuple[Outcome, str | None]:
    same = next((each for each in known if each.version == learned.version), None)
    if same is not None and (same.state != "refused" or same.incumbent_version == in_force.version):
        return "nothing new", f"the same posts gave {same.version} before: {_state(same, in_force)}"
    if {each.name: each.weight for each in learned.weights} == dict(in_force.weights):
        short = _too_few(learned, judgement)
        return "nothing new", short or f"the posts speak for the weights in force ({in_force.version})"
    for each in known:
        if each.state == "rolled_back" and _moved(learned, learned_in(each)) < NEAR_ROLLED_BACK:
            return "refused", f"it is nearly {each.version}, which was rolled back: {each.reason or 'no reason given'}"
    short = _too_few(learned, judgement)
    if short is not None:
        return "refused", short
    assert judgement.score is not None
    assert judgement.incumbent_score is not None
    if judgement.score < judgement.incumbent_score:
        before = f"{in_force.version} {judgement.incumbent_score:.1%}"
        return "refused", f"it puts {judgement.score:.1%} of the holdout's pairs in order, {before}"
    return "promoted", None


def _state(record: QualityModel, in_force: QualityWeights) -> str:
    if record.version == in_force.version:
        return "it is in force"
    if record.state == "promoted":
        return f"{in_force.version} was put in force since"
    done = "rolled back" if record.state == "rolled_back" else "refused"
    return f"{done} by {record.requested_by}, {record.reason or 'no reason given'}"


def _too_few(learned: Learned, judgement: Judgement) -> str | None:
    for there, least, what in (
        (learned.trained_posts, LEAST_TRAINED_POSTS, "posts to learn from"),
        (learned.holdout_posts, LEAST_HOLDOUT_POSTS, "posts to judge on"),
        (judgement.pairs, LEAST_HOLDOUT_PAIRS, "pairs of posts to judge on"),
    ):
        if there < least:
            return f"not enough evidence: {there:,} {what}, {least:,} are needed"
    return None


def _moved(one: Learned, other: Learned) -> float:
    """Return the share of the weight that is elsewhere, in [0, 1]: half the sum of the absolute differences."""
    first = {each.name: each.weight for each in one.weights}
    second = {each.name: each.weight for each in other.weights}
    return sum(abs(first.get(name, 0.0) - second.get(name, 0.0)) for name in sorted(first.keys() | second.keys())) / 2
