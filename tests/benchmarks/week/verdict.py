"""What was asked for and what the KPIs say, against the simulator's own truth. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agents.insights.links import mark_in
from schemas.records import InsightsSnapshot, KpiUpdate
from tests.benchmarks.week.script import Wanted

Truth = Mapping[str, Any]
METRICS = ("views", "likes", "replies", "reposts", "quotes", "shares")
COMPARED = ("posts", *METRICS, "clicks", "account_growth")


@dataclass(slots=True)
class Verdict:
    """How many posts are there more and less often than they should, and by how much the KPIs differ.

    `words` are all that is wrong, also what the publisher has come to no end with.
    """

    published: int = 0
    duplicates: int = 0
    lost: int = 0
    kpi_differences: int = 0
    words: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not self.words


class Snapshots:
    """What the platform said: the first followers of each persona, and of each post what it said last."""

    def __init__(self) -> None:
        self._first: dict[str, InsightsSnapshot] = {}
        self._last: dict[str, InsightsSnapshot] = {}

    def take(self, snapshot: InsightsSnapshot) -> None:
        """Take a snapshot over, in any order."""
        if snapshot.post_id is not None:
            last = self._last.setdefault(snapshot.post_id, snapshot)
            if last.sequence < snapshot.sequence:
                self._last[snapshot.post_id] = snapshot
        elif snapshot.followers is not None:
            first = self._first.setdefault(snapshot.persona_id, snapshot)
            if first.sequence > snapshot.sequence:
                self._first[snapshot.persona_id] = snapshot

    def is_whole(self, truth: Truth, since: datetime) -> bool:
        """Tell whether every post that is there was asked for since a time."""
        there = (each["id"] for each in _own_posts(truth) if each["deleted_at"] is None)
        return all(post_id in self._last and self._last[post_id].occurred_at >= since for post_id in there)

    def first_followers(self, persona_id: str) -> int | None:
        """Return how many followers a persona had when it was asked for them first: its growth counts from there."""
        first = self._first.get(persona_id)
        return None if first is None else first.followers

    def last(self, post_id: str, metric: str) -> int:
        """Return what was said last of a post, 0 where nothing was."""
        last = self._last.get(post_id)
        return 0 if last is None else getattr(last, metric) or 0


def judged(truth: Truth, wanted: Sequence[Wanted], told: Mapping[str, KpiUpdate], snapshots: Snapshots) -> Verdict:
    """Compare posts and KPIs; `told` is the lifetime by persona."""
    verdict = Verdict()
    _judge_posts(verdict, truth, wanted)
    for persona_id, expected in sorted(_kpis(truth, wanted, snapshots).items()):
        update = told.get(persona_id)
        for name in COMPARED:
            found = 0 if update is None else getattr(update, name)
            if found != expected[name]:
                verdict.kpi_differences += abs(found - expected[name])
                verdict.words.append(f"{name} of {persona_id} are {found:,}; the simulator has {expected[name]:,}")
    return verdict


def _judge_posts(verdict: Verdict, truth: Truth, wanted: Sequence[Wanted]) -> None:
    there: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for post in _own_posts(truth):
        there[post["username"], post["text"]].append(post)
    expected = {(each.persona_id, text) for each in wanted for text in each.public_texts}
    for key, posts in there.items():
        more = len(posts) - (key in expected)
        if more:
            verdict.duplicates += more
            ids = ", ".join(str(each["id"]) for each in posts)
            verdict.words.append(f"{len(posts)} posts of {key[0]} say {_short(key[1])!r}, {more} too many: {ids}")
    for each in wanted:
        verdict.published += sum((each.persona_id, text) in there for text in each.public_texts)
        wrong = list(_wrong(each, there))
        verdict.lost += len(wrong)
        verdict.words += wrong


def _wrong(wanted: Wanted, there: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    """Yield what is wrong with each part that is not as it should be."""
    named = f"{wanted.what}, {wanted.publication_id} of {wanted.persona_id}"
    before: str | None = None
    for text in wanted.public_texts:
        post = next(iter(there.get((wanted.persona_id, text), [])), None)
        if post is None:
            yield f"{named} is not there: {_short(text)!r}"
        elif post["reply_to"] != before:
            yield f"{named}: post {post['id']} is a reply to {post['reply_to']}, not to {before}"
        elif (post["deleted_at"] is not None) != wanted.is_deleted:
            yield f"{named}: post {post['id']} is {'not ' * wanted.is_deleted}deleted"
        before = None if post is None else str(post["id"])


def _kpis(truth: Truth, wanted: Iterable[Wanted], snapshots: Snapshots) -> dict[str, Counter[str]]:
    """Return what the lifetime KPIs of each persona must be.

    Of a post that is not there any more no platform tells anything: what it said last counts.
    """
    found: dict[str, Counter[str]] = {each.persona_id: Counter() for each in wanted}
    for post in _own_posts(truth):
        counts = found.setdefault(post["username"], Counter())
        is_gone = post["deleted_at"] is not None
        counts["posts"] += 1
        for name in METRICS:
            counts[name] += snapshots.last(post["id"], name) if is_gone else post["totals"][name]
        counts["clicks"] += sum(number for link, number in post["clicks"].items() if mark_in(link) is not None)
    for user in truth["users"]:
        first = snapshots.first_followers(user["username"])
        if first is not None:
            found[user["username"]]["account_growth"] = user["followers"] - first
    return found


def _own_posts(truth: Truth) -> Iterator[dict[str, Any]]:
    return (post for post in truth["posts"] if post["container_id"] is not None)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
