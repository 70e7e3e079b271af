"""A part of a publication at work: what the platform is told of it, and what may change during a call."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from agents.guard.threads_counts import AFTER_A_LINK, LINK_PATTERN
from agents.insights.links import tracked
from agents.platforms.contract import (
    Account,
    Outgoing,
    Platform,
)
from agents.platforms.texts import problems
from agents.publishing.partition import Again, Job, PartitionPublications
from agents.publishing.publication import Part, Publication
from streams.identity import derived_id

T = TypeVar("T")
_LINK = re.compile(LINK_PATTERN, re.IGNORECASE)
NOT_YET = "the part before"


@dataclass(frozen=True, slots=True)
class AtWork:
    """A part of a publication at work, with whom it is published."""

    book: PartitionPublications
    job: Job
    publication: Publication
    index: int
    account: Account
    platform: Platform

    @property
    def part(self) -> Part:
        return self.publication.parts[self.index]

    def outgoing(self, index: int | None = None) -> Outgoing:
        """Return a part as the platform is told it, the one at work where none is named.

        The topic tag of a draft is the persona's for all platforms: one that has none is not told of it.
        """
        of, index = self.publication, self.index if index is None else index
        part, is_first, key = of.parts[index], index == 0, of.publication_id
        can = self.platform.capabilities
        plain = Outgoing(
            key=derived_id("post", key, str(index), part.text),
            text=part.text,
            reply_to=None if is_first else of.parts[index - 1].post_id or NOT_YET,
            topic_tag=of.topic_tag if is_first and (of.draft_id is None or can.has_topic_tags) else None,
            reply_control=of.reply_control if is_first else None,
            link=of.link if is_first else None,
        )
        marked = replace(plain, text=_marked(plain.text, key), link=plain.link and tracked(plain.link, key))
        return plain if problems(marked, can) and not problems(plain, can) else marked  # the mark must fit in

    def problems(self) -> list[str]:
        """Return what the platform would refuse; of the first part, what it would of the whole thread."""
        can, count = self.platform.capabilities, len(self.publication.texts)
        asked = range(count) if self.index == 0 else (self.index,)
        found = ((index, each) for index in asked for each in problems(self.outgoing(index), can))
        return [each if count == 1 else f"part {index + 1}: {each}" for index, each in found]


async def then(at: AtWork, act: Callable[[AtWork], Awaitable[Again]]) -> Again:
    """Go on after an answer, unless a command changed the publication meanwhile: then look at it anew."""
    same = _unchanged(at)
    if same is None:
        return None if at.job.is_void else 0.0
    return await act(same)


def unless_changed(at: AtWork, act: Callable[[AtWork], T]) -> T | Again:
    same = _unchanged(at)
    if same is None:
        return None if at.job.is_void else 0.0
    return act(same)


def while_publishing(at: AtWork, act: Callable[[AtWork], Again]) -> Again:
    """Take the outcome of a call over: no command moves a part meanwhile, but the platform's own word may."""
    if at.job.is_void:
        return None
    known = at.book.get(at.publication.publication_id)
    if known is None or known.parts[at.index].state != "publishing":
        return 0.0
    return act(replace(at, publication=known))


def _unchanged(at: AtWork) -> AtWork | None:
    """Return it with what is known now, None where that is something else in what matters, or not ours any more."""
    known, before = at.book.get(at.publication.publication_id), at.publication
    if at.job.is_void or known is None:
        return None
    is_same = (known.parts, known.due_at, known.cancel, known.delete) == (
        before.parts,
        before.due_at,
        before.cancel,
        before.delete,
    )
    return replace(at, publication=known) if is_same else None


def _marked(text: str, publication_id: str) -> str:
    """Return a text whose links bear the publication's mark, by which clicks on them are told apart."""

    def mark(found: re.Match[str]) -> str:
        link = found.group(0).rstrip(AFTER_A_LINK)
        return tracked(link, publication_id) + found.group(0)[len(link) :]

    return _LINK.sub(mark, text)


def once_lifted(publication: Publication) -> str:
    return (
        "Once the platform has lifted it, and `threads-agent accounts refresh` has seen that, it goes on with "
        f"`threads-agent posts retry {publication.publication_id}`"
    )


def edit_it(publication: Publication) -> str:
    return f"Give it another text with `threads-agent posts edit {publication.publication_id}`"
