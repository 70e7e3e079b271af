"""Posts drawn from planted weights: what each brings follows from its features, its persona and luck."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from agents.learning.quality.model_record import Learned, weights_of
from agents.learning.quality.posts import FEATURES, Material, Post
from agents.learning.quality.promotion import Change, record_of
from agents.scoring.weights import BUILT_IN
from schemas.records import DraftScored, HookChoice, HookReward, ModelState, Quality, QualityFeature, QualityModel
from tests.support.drafting import NOW
from tests.support.drafts import plain_draft

FIRST = datetime(2026, 9, 1, tzinfo=UTC)
HOOKS_PAY = {
    "hook_strength": 0.45,
    "readability": 0.0,
    "specificity": 0.10,
    "length_fit": 0.05,
    "coherence": 0.12,
    "language_match": 0.08,
    "novelty": 0.15,
    "safety": 0.05,
}
LENGTH_PAYS = {**HOOKS_PAY, "hook_strength": 0.0, "readability": 0.30, "length_fit": 0.20}
NEARLY_FULL = {"safety": 1.0, "coherence": 0.95, "language_match": 0.97}


def drawn_posts(
    count: int,
    weights: Mapping[str, float],
    seed: int,
    *,
    slope: float = 4.0,
    start: datetime = FIRST,
    name: str = "persona",
    personas: int = 3,
) -> list[Post]:
    """Return posts of some personas, eight hours apart each, whose log rate is `slope` times their score, and luck."""
    draws, found = np.random.default_rng(seed), []
    for number in range(count):
        persona = number % personas
        features = {name: NEARLY_FULL.get(name, float(draws.beta(4, 2))) for name in FEATURES}
        score = sum(weights[name] * value for name, value in features.items())
        views = 1 + int(2000 * math.exp(draws.normal(0, 0.7)))
        rate = min(math.exp(-4 + (persona % 3) / 2 + slope * (score - 0.7) + draws.normal(0, 0.5)), 0.9)
        found.append(
            Post(
                f"{name}-{seed}-{number}",
                f"{name}-{persona}",
                start + timedelta(hours=8 * (number // personas)),
                views,
                int(draws.binomial(views, rate)),
                tuple(round(features[name], 6) for name in FEATURES),
            )
        )
    return found


def material(posts: Sequence[Post], left_out: Mapping[str, int] | None = None) -> Material:
    """Return posts to learn from, whose drafts are those that were scored last."""
    return Material(posts, [each.features for each in posts], dict(left_out or {}))


def reward_of(post: Post, *, revision: int = 1, age_hours: int = 24) -> HookReward:
    return HookReward(
        event_id=f"{post.post_id}/{age_hours}/{revision}",
        occurred_at=post.published_at + timedelta(hours=age_hours),
        persona_id=post.persona_id,
        causation_id=None,
        post_id=post.post_id,
        draft_id=f"draft of {post.post_id}",
        age_hours=age_hours,
        revision=revision,
        choice=HookChoice(style="any", propensity=1.0, arms_version=None, experiment_id=None),
        published_at=post.published_at,
        views=post.views,
        engagements=post.engagements,
        simulated=post.is_simulated,
    )


def scored_of(post: Post, *, without: Iterable[str] = (), more: Mapping[str, float] | None = None) -> DraftScored:
    """Return the scored draft of a post, without some features, and with others that nobody knows."""
    values = {**dict(zip(FEATURES, post.features, strict=True)), **(more or {})}
    return DraftScored(
        event_id=f"score of {post.post_id}",
        occurred_at=post.published_at - timedelta(hours=1),
        persona_id=post.persona_id,
        draft=plain_draft(draft_id=f"draft of {post.post_id}", persona_id=post.persona_id),
        quality=Quality(
            score=0.8,
            threshold=0.78,
            passed=False,
            features=tuple(
                QualityFeature(name=name, value=value, weight=BUILT_IN.weights.get(name, 0.0), reason="drawn")
                for name, value in values.items()
                if name not in without
            ),
        ),
    )


def learned(weights: Mapping[str, float], *, shift: float = 0.0, posts: int = 700) -> Learned:
    return Learned(weights_of(weights), shift, posts, 0, 300, 0.625)


def model(
    weights: Mapping[str, float],
    state: ModelState = "promoted",
    *,
    reason: str | None = None,
    incumbent: str = BUILT_IN.version,
    minutes: int = 0,
) -> QualityModel:
    """Return the record of a model with these weights, written so many minutes after NOW."""
    change = Change("tester", NOW + timedelta(minutes=minutes), reason)
    return record_of(learned(weights), state, change, incumbent=incumbent)


def damaged(record: QualityModel) -> QualityModel:
    """Return a model of which one weight is not what was written."""
    first, *others = record.weights
    return replace(record, event_id=f"{record.event_id}-damaged", weights=(replace(first, weight=0.9), *others))
