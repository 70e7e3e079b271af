"""Looking: publications that match, and one with the plan of its persona."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import get_args

from agents.personas.persona_topic import read_directory
from agents.personas.posting import PostingPlan
from agents.publishing.asking.post_book import PROGRESSES, SeenPost, book_of, post_book
from agents.publishing.asking.requests import NotAsked
from schemas.records import PublicationState
from streams.settings import Settings

STATES: tuple[str, ...] = (*get_args(PublicationState), *PROGRESSES)


def require_states(states: Collection[str]) -> None:
    """Check that there are such states.

    Raises:
        NotAsked: there are none; the message lists those there are.
    """
    unknown = sorted(set(states) - set(STATES))
    if unknown:
        raise NotAsked(f"expected a state out of {', '.join(dict.fromkeys(STATES))}, got {', '.join(unknown)}")


async def chosen(settings: Settings, now: datetime, persona_id: str | None, states: Collection[str]) -> list[SeenPost]:
    """Return the publications of a persona, or of all, that are in one of the states; without any, all but rejected.

    Raises:
        Unavailable: Kafka does not answer.
        SettingsError: there is no Kafka.
    """
    async with post_book(settings, persona_id) as book:
        found = list(book)
    if not states:
        return [each for each in found if each.progress(now) != "rejected"]
    return [each for each in found if {each.state, each.progress(now)} & set(states)]


async def one(settings: Settings, either_id: str) -> tuple[SeenPost, PostingPlan | None]:
    """Return a publication by its id or its draft's, and the plan of its persona; None where that is not in force.

    Raises:
        UnknownPost: there is none.
        Unavailable: Kafka does not answer.
        SettingsError: there is no Kafka.
    """
    async with book_of(settings, either_id) as book:
        post = book.require(either_id)
    applied = (await read_directory(settings)).find(post.persona_id)
    return post, None if applied is None else applied.persona.posting
