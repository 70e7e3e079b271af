"""What is known of a persona's drafts and posts, and which rewards follow. Pure; times are epoch milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
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
MOST_UNCHOSEN = 500  # posts of drafts that were asked in no style, or are not heard of yet
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
    """A post: `views` and `engagements` between one age and the next, and what was told of each age.

    `choice` is its draft's, None until the draft is known. `applied` is the offset of the last partial that is in it:
    a crash may leave it ahead of how far its source is applied.
    """

    draft_id: str
    published_ms: int
    simulated: bool
    views: list[int] = field(default_factory=lambda: [0] * len(AGES))
    engagements: list[int] = field(default_factory=lambda: [0] * len(AGES))
    told: list[Told | None] = field(default_factory=lambda: [None] * len(AGES))
    choice: HookChoice | None = None
    applied: int = -1

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


@dataclass(slots=True)
class UnknownPost:
    """Engagement of a post that was not heard of yet, by five minutes; `applied` as of a known one."""

    slots: dict[int, Slot] = field(default_factory=dict)
    applied: int = -1

    def add(self, slot_ms: int, slot: Slot) -> None:
        """Add what it brought in five minutes."""
        views, engagements, simulated = self.slots.get(slot_ms, (0, 0, False))
        self.slots[slot_ms] = (views + slot[0], engagements + slot[1], simulated or slot[2])


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
    unknown: dict[str, UnknownPost] = field(default_factory=dict)

    def add_draft(self, draft_id: str, draft: KnownDraft) -> list[str]:
        """Note a draft; return its posts that were first, and have its choice now."""
        self.drafts[draft_id] = draft
        found = [post_id for post_id, post in self.posts.items() if post.draft_id == draft_id]
        for post_id in found:
            self._join(self.posts[post_id])
        return found

    def add_post(self, post_id: str, post: KnownPost) -> bool:
        """Note a post, with its draft's choice and with what was seen of it before; False where it is known."""
        if post_id in self.posts:
            return False
        before = self.unknown.pop(post_id, UnknownPost())
        for slot_ms, slot in before.slots.items():
            post.add(slot_ms, slot)
        self.posts[post_id] = post
        self._join(post)
        return True

    def add_engagement(self, post_id: str, slots: Iterable[tuple[int, Slot]], offset: int) -> bool:
        """Add what the partial at `offset` says of a post, by five minutes; False where that is in it already."""
        kept = self.posts[post_id] if post_id in self.posts else self.unknown.setdefault(post_id, UnknownPost())
        if offset <= kept.applied:
            return False
        for slot_ms, slot in slots:
            kept.add(slot_ms, slot)
        kept.applied = offset
        return True

    def made_whole(self) -> list[str]:
        """Make good what a crash left between two entries of the state; return the posts that are no more unknown.

        A post may be written and not yet gone from the unknown ones, whose engagement it has; a draft may be written
        and its post not.
        """
        for post in self.posts.values():
            self._join(post)
        found = [post_id for post_id in self.unknown if post_id in self.posts]
        for post_id in found:
            del self.unknown[post_id]
        return found

    def _join(self, post: KnownPost) -> None:
        """Give a post its draft's choice, which it keeps though the draft be forgotten."""
        if post.choice is None and post.draft_id in self.drafts:
            post.choice = self.drafts[post.draft_id].choice

    def forgotten_posts(self) -> list[str]:
        """Return the posts that are too many: the oldest by publication, of those with a choice and of the others."""
        if len(self.posts) <= min(MOST_POSTS, MOST_UNCHOSEN):
            return []
        chosen = [post_id for post_id, post in self.posts.items() if post.choice is not None]
        others = [post_id for post_id, post in self.posts.items() if post.choice is None]
        surplus = _surplus(others, self._by_publication, MOST_UNCHOSEN)
        return surplus + _surplus(chosen, self._by_publication, MOST_POSTS)

    def _by_publication(self, post_id: str) -> Place:
        return self.posts[post_id].published_ms, post_id

    def forgotten_drafts(self) -> list[str]:
        """Return the drafts that are too many: the oldest."""
        return _surplus(self.drafts, lambda each: (self.drafts[each].generated_ms, each), MOST_DRAFTS)

    def forgotten_unknown(self) -> list[str]:
        """Return the unknown posts that are too many: those engaged with the longest time ago."""
        return _surplus(self.unknown, lambda each: (max(self.unknown[each].slots), each), MOST_UNKNOWN)

    def news(self, post_id: str, now_ms: int) -> Iterator[HookReward]:
        """Yield what was not told of a post yet, or has changed since, of each age that is due; it is told then."""
        post = self.posts[post_id]
        if post.choice is None:
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
        if told is None or post.choice is None:
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
            choice=post.choice,
            published_at=published_at,
            views=told.views,
            engagements=told.engagements,
            simulated=post.simulated,
        )

    def newest(self) -> list[HookReward]:
        """Return of the newest posts that were told of the reward of the greatest age, of MOST_POSTS at most."""
        ages = {
            post_id: [number for number, each in enumerate(self.posts[post_id].told) if each] for post_id in self.posts
        }
        told = sorted((post_id for post_id, numbers in ages.items() if numbers), key=self._by_publication)
        return [self.reward(post_id, ages[post_id][-1]) for post_id in told[-MOST_POSTS:]]
