"""Which posts are examples: those that did well, each once, without personal data. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from agents.embedding.embedders import NgramEmbedder
from agents.guard.personal_data import personal_data

ALIKE = 0.8
"""Cosine of two texts' runs of characters from which they are one."""
PRIOR_VIEWS = 200
"""Views of the persona's own rate that a post's rate is drawn to: one like of three views is no good post."""


@dataclass(frozen=True, slots=True)
class PublishedPost:
    """A post of an accepted draft, what it was asked by and what it brought; `definition` is its persona's, as JSON."""

    draft_id: str
    persona_id: str
    language: str
    brief: str
    hook: str
    body: str
    post_id: str
    published_at: datetime
    views: int
    engagements: int
    simulated: bool
    definition: str

    @property
    def text(self) -> str:
        """Return what a model is to write."""
        return f"{self.hook}\n{self.body}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What counts as an example: least views, and the share of a persona's posts that did best."""

    least_views: int = 100
    top: float = 0.25
    with_simulated: bool = False


@dataclass(frozen=True, slots=True)
class Chosen:
    """The examples, and why the others are none: reasons with their numbers, in the order in which they are applied."""

    posts: tuple[PublishedPost, ...]
    left_out: Counter[str] = field(default_factory=Counter)


def chosen(posts: Sequence[PublishedPost], wanted: Wanted) -> Chosen:
    """Return the posts that did well, the same whatever order they come in."""
    left_out: Counter[str] = Counter()
    seen = []
    for each in sorted(posts, key=lambda each: (each.persona_id, each.draft_id, each.post_id)):
        if each.simulated and not wanted.with_simulated:
            left_out["simulated"] += 1
        elif each.views < wanted.least_views:
            left_out[f"under {wanted.least_views:,} views"] += 1
        else:
            seen.append(each)
    best = _best(seen, wanted.top)
    left_out["did not do well enough"] += len(seen) - len(best)
    clean = []
    for each in best:
        kinds = personal_data(f"{each.brief}\n{each.text}") + (["mention of an account"] if _mentions(each) else [])
        if kinds:
            left_out[f"personal data: {kinds[0]}"] += 1
        else:
            clean.append(each)
    different = _different(clean)
    left_out["says the same as a better one"] += len(clean) - len(different)
    return Chosen(tuple(different), Counter({reason: count for reason, count in left_out.items() if count}))


def rate_of(post: PublishedPost, usual: float) -> float:
    """Return the engagement rate of a post, drawn to what is usual of its persona."""
    return (post.engagements + PRIOR_VIEWS * usual) / (post.views + PRIOR_VIEWS)


def _best(posts: Sequence[PublishedPost], top: float) -> list[PublishedPost]:
    """Return of each persona its best posts, the best first; none of which is under the persona's median."""
    found = []
    for persona_id in sorted({each.persona_id for each in posts}):
        ours = [each for each in posts if each.persona_id == persona_id]
        usual = sum(each.engagements for each in ours) / sum(each.views for each in ours)
        ranked = sorted(ours, key=lambda each: (-rate_of(each, usual), each.post_id))
        middle = median(rate_of(each, usual) for each in ours)
        kept = ranked[: max(round(top * len(ours)), 1)]
        found += [each for each in kept if rate_of(each, usual) >= middle and each.engagements > 0]
    return found


def _mentions(post: PublishedPost) -> bool:
    return any(word.startswith("@") and len(word) > 1 for word in f"{post.brief} {post.text}".split())


def _different(posts: Sequence[PublishedPost]) -> list[PublishedPost]:
    """Return the posts without those that say what an earlier one of the list says."""
    if not posts:
        return []
    vectors = NgramEmbedder().vectors([each.text for each in posts])
    kept: list[int] = []
    for number in range(len(posts)):
        if not kept or float((vectors[kept] @ vectors[number]).max()) < ALIKE:
            kept.append(number)
    return [posts[number] for number in kept]
