"""Posts as training sees them: what each brought at 24 hours, joined with the features its draft was scored by."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from agents.scoring.weights import GATES, WEIGHTS
from schemas.records import DraftScored, HookReward

AGE_HOURS = 24
MOST_POSTS = 100_000
MOST_DRAFTS = 10_000
"""Of those that were scored before the newest post was published, the last: the share of them that passes is kept.

Later ones would make another model of the same posts."""
FEATURES = tuple(sorted(WEIGHTS))
"""The order of features in all arrays: as in the record."""
SIMULATED = "simulated; --simulated learns from it too"

Features = tuple[float, ...]
_NEVER = datetime.min.replace(tzinfo=UTC)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Post:
    """A post, its counts at 24 hours, and the features of its draft in the order of FEATURES, each in [0, 1]."""

    post_id: str
    persona_id: str
    published_at: datetime
    views: int
    engagements: int
    features: Features
    is_simulated: bool = False


@dataclass(frozen=True, slots=True)
class Material:
    """What there is to learn from: posts by time, features of the drafts scored last, what was left out by reason."""

    posts: Sequence[Post]
    drafts: Sequence[Features]
    left_out: dict[str, int]


class _Newest(Generic[Value]):
    """The `most` newest values, one a key: of those of a key the one with the greatest rank, in whatever order."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[str, tuple[tuple[datetime, str], tuple[Hashable, ...], Value]] = {}

    def put(self, key: str, at: datetime, rank: tuple[Hashable, ...], value: Value) -> None:
        known = self._kept.get(key)
        if known is not None and known[1] >= rank:
            return
        self._kept[key] = ((at, key), rank, value)
        if len(self._kept) > 2 * self._most:
            self._kept = dict(self._newest())

    def values(self) -> list[Value]:
        """Return the newest, the oldest first."""
        return [value for _, (_, _, value) in reversed(self._newest())]

    def _newest(self) -> list[tuple[str, tuple[tuple[datetime, str], tuple[Hashable, ...], Value]]]:
        return sorted(self._kept.items(), key=lambda each: each[1][0], reverse=True)[: self._most]


class Gathering:
    """Rewards first, then scored drafts, each in whatever order and however often they come; memory is bounded.

    The newest `most_posts` count. Of a post the reward with the greatest revision stands, of its draft the first score
    that has all features: a replay may have scored it again.
    """

    def __init__(self, *, with_simulated: bool, most_posts: int = MOST_POSTS, most_drafts: int = MOST_DRAFTS) -> None:
        self._with_simulated = with_simulated
        self._rewards = _Newest[HookReward](most_posts)
        self._drafts = _Newest[Features | None](most_drafts)
        self._wanted: set[str] | None = None
        self._until = _NEVER
        self._scored: dict[str, tuple[tuple[bool, datetime, str], Features | None]] = {}

    def take_reward(self, reward: HookReward) -> None:
        """Take what a post brought in; other ages than 24 hours are passed over."""
        if reward.age_hours == AGE_HOURS:
            post = f"{reward.post_id} of {reward.persona_id}"  # a foreign producer may use an id twice
            self._rewards.put(post, reward.published_at, (reward.revision, reward.event_id), reward)

    def take_scored(self, scored: DraftScored) -> None:
        """Take the features of a draft."""
        if self._wanted is None:
            rewards = [each for each in self._rewards.values() if self._why_not(each) is None]
            self._wanted = {each.draft_id for each in rewards}
            self._until = max((each.published_at for each in rewards), default=_NEVER)
        draft_id, found = scored.draft.draft_id, features_of(scored)
        if draft_id in self._wanted:
            rank = (found is None, scored.occurred_at, scored.event_id)
            known = self._scored.get(draft_id)
            if known is None or rank < known[0]:
                self._scored[draft_id] = (rank, found)
        if scored.occurred_at <= self._until:
            self._drafts.put(draft_id, scored.occurred_at, (scored.occurred_at, scored.event_id), found)

    def material(self) -> Material:
        """Return what was gathered."""
        posts, left_out = list[Post](), Counter[str]()
        for reward in self._rewards.values():
            joined = self._joined(reward)
            if isinstance(joined, Post):
                posts.append(joined)
            else:
                left_out[joined] += 1
        drafts = [each for each in self._drafts.values() if each is not None and _meets_gates(each)]
        return Material(posts, drafts, dict(sorted(left_out.items())))

    def _joined(self, reward: HookReward) -> Post | str:
        """Return the post of a reward, or why there is none."""
        why_not = self._why_not(reward)
        if why_not is not None:
            return why_not
        if reward.draft_id not in self._scored:
            return "its draft was not scored here"
        features = self._scored[reward.draft_id][1]
        if features is None:
            return "its draft lacks a feature"
        return Post(
            reward.post_id,
            reward.persona_id,
            reward.published_at,
            reward.views,
            reward.engagements,
            features,
            reward.simulated,
        )

    def _why_not(self, reward: HookReward) -> str | None:
        if reward.simulated and not self._with_simulated:
            return SIMULATED
        return "nobody viewed it" if reward.views <= 0 else None


def features_of(scored: DraftScored) -> Features | None:
    """Return the features of a draft in the order of FEATURES; None where one is missing or no share.

    Features that this program does not know are passed over.
    """
    values = {each.name: each.value for each in scored.quality.features}
    found = tuple(values.get(name, math.nan) for name in FEATURES)
    return found if all(0 <= each <= 1 for each in found) else None


def _meets_gates(features: Features) -> bool:
    return all(features[FEATURES.index(name)] >= least for name, least in GATES.items())
