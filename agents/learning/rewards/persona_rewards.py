"""What is known of a persona's drafts and posts, and which rewards follow. Pure; times are epoch milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from schemas.records import HookChoice, HookReward
from streams.identity import derived_id

HOUR_MS = 3600 * 1000
AGES = (1, 24, 168)
"""Ages at which a post's reward is taken, hours."""
GRACE_MS = 10 * 60 * 1000
"""Time after such an age that is waited for engagement on its way; what comes later makes another revision."""
MOST_POSTS = 500  # of a persona: what older ones brought is forgotten
MOST_DRAFTS = 2_000
MOST_UNKNOWN = 500  # posts that engagement was seen of and nothing else: those of other programs, too
SLOT_MS = 5 * 60 * 1000

Slot = tuple[int, int, bool]
"""Views and engagements of five minutes, and whether any of it is simulated."""


@dataclass(frozen=True, slots=True)
class KnownDraft:
    """When a draft was written, and what it was asked in."""

    generated_ms: int
    choice: HookChoice


@dataclass(frozen=True, slots=True)
class Told:
    """A reward as it was told last."""

    views: int
    engagements: int
    revision: int


@dataclass(slots=True)
class KnownPost:
    """A post: `views` and `engagements` between one age and the next, and what was told of each age."""

    draft_id: str
    published_ms: int
    simulated: bool
    views: list[int] = field(default_factory=lambda: [0] * len(AGES))
    engagements: list[int] = field(default_factory=lambda: [0] * len(AGES))
    told: list[Told | None] = field(default_factory=lambda: [None] * len(AGES))

    def add(self, slot_ms: int, slot: Slot) -> None:
        """Add what it brought in five minutes; what came before it was published counts as at once."""
        age_ms = slot_ms - self.published_ms // SLOT_MS * SLOT_MS
        number = next((number for number, hours in enumerate(AGES) if age_ms < hours * HOUR_MS), None)
        if number is not None:
            views, engagements, simulated = slot
            self.views[number] += views
            self.engagements[number] += engagements
            self.simulated |= simulated

    def brought(self, number: int) -> tuple[int, int]:
        """Return views and engagements up to an age, none negative: corrections may take more than there was."""
        return max(sum(self.views[: number + 1]), 0), max(sum(self.engagements[: number + 1]), 0)

    def has_changed(self) -> bool:
        """Tell whether it brought something since it was told of."""
        told = ((number, each) for number, each in enumerate(self.told) if each is not None)
        return any(self.brought(number) != (each.views, each.engagements) for number, each in told)

    def due_ms(self) -> int | None:
        """Return when the next age is due that nothing was told of; None where there is none."""
        untold = (hours for hours, told in zip(AGES, self.told, strict=True) if told is None)
        hours = next(untold, None)
        return None if hours is None else self.published_ms + hours * HOUR_MS + GRACE_MS


Place = tuple[int, str]
"""A time and an id: the order in which things are forgotten."""


def _surplus(ids: Collection[str], place_of: Callable[[str], Place], most: int) -> list[str]:
    """Return which of more than `most` are the oldest; none until they are a quarter too many, so that it is cheap."""
    return sorted(ids, key=place_of)[:-most] if len(ids) > most + most // 4 else []


@dataclass(slots=True)
class PersonaRewards:
    """The drafts and posts of one persona, each bounded in number: the oldest are forgotten.

    `unknown` has engagement of posts that were not heard of yet.
    """

    persona_id: str
    drafts: dict[str, KnownDraft] = field(default_factory=dict)
    posts: dict[str, KnownPost] = field(default_factory=dict)
    unknown: dict[str, dict[int, Slot]] = field(default_factory=dict)

    def add_post(self, post_id: str, post: KnownPost) -> bool:
        """Note a post, with what was seen of it before; False where it is known."""
        if post_id in self.posts:
            return False
        for slot_ms, slot in self.unknown.pop(post_id, {}).items():
            post.add(slot_ms, slot)
        self.posts[post_id] = post
        return True

    def add_engagement(self, post_id: str, slot_ms: int, slot: Slot) -> None:
        """Add what a post brought in five minutes."""
        if post_id in self.posts:
            self.posts[post_id].add(slot_ms, slot)
            return
        slots = self.unknown.setdefault(post_id, {})
        views, engagements, simulated = slots.get(slot_ms, (0, 0, False))
        slots[slot_ms] = (views + slot[0], engagements + slot[1], simulated or slot[2])

    def forgotten_posts(self) -> list[str]:
        """Return the posts that are too many: the oldest by publication."""
        return _surplus(self.posts, self._by_publication, MOST_POSTS)

    def _by_publication(self, post_id: str) -> Place:
        return self.posts[post_id].published_ms, post_id

    def forgotten_drafts(self) -> list[str]:
        """Return the drafts that are too many: the oldest."""
        return _surplus(self.drafts, lambda each: (self.drafts[each].generated_ms, each), MOST_DRAFTS)

    def forgotten_unknown(self) -> list[str]:
        """Return the unknown posts that are too many: those engaged with the longest time ago."""
        return _surplus(self.unknown, lambda each: (max(self.unknown[each]), each), MOST_UNKNOWN)

    def news(self, post_id: str, now_ms: int) -> Iterator[HookReward]:
        """Yield what was not told of a post yet, or has changed since, of each age that is due; it is told then."""
        post = self.posts[post_id]
        draft = self.drafts.get(post.draft_id)
        if draft is None:
            return
        for number, hours in enumerate(AGES):
            if now_ms < post.published_ms + hours * HOUR_MS + GRACE_MS:
                return
            brought, told = post.brought(number), post.told[number]
            if told is None or brought != (told.views, told.engagements):
                post.told[number] = Told(*brought, told.revision + 1 if told else 1)
                yield self.reward(post_id, number)

    def reward(self, post_id: str, number: int) -> HookReward:
        """Return a reward as it was told last, by the number of its age."""
        post, hours = self.posts[post_id], AGES[number]
        told, published_at = post.told[number], datetime.fromtimestamp(post.published_ms / 1000, UTC)
        if told is None:
            raise ValueError(f"nothing was told of post {post_id} at {hours} h")
        return HookReward(
            event_id=derived_id(self.persona_id, post_id, "reward", str(hours), str(told.revision)),
            occurred_at=published_at + timedelta(hours=hours),
            persona_id=self.persona_id,
            causation_id=post.draft_id,
            post_id=post_id,
            draft_id=post.draft_id,
            age_hours=hours,
            revision=told.revision,
            choice=self.drafts[post.draft_id].choice,
            published_at=published_at,
            views=told.views,
            engagements=told.engagements,
            simulated=post.simulated,
        )

    def newest(self) -> list[HookReward]:
        """Return of the newest posts the reward of the greatest age that was told, MOST_POSTS of them at most."""
        found = []
        for post_id in sorted(self.posts, key=self._by_publication)[-MOST_POSTS:]:
            post = self.posts[post_id]
            told = [number for number, each in enumerate(post.told) if each is not None]
            if told and post.draft_id in self.drafts:
                found.append(self.reward(post_id, told[-1]))
        return found
