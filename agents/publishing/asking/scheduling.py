"""Scheduling: a draft's publication, or a post of its own, at a time or as soon as may be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from agents.personas.directory import PersonaDirectory
from agents.personas.persona import Persona
from agents.personas.persona_topic import read_directory
from agents.personas.posting import checked_topic_tag
from agents.platforms.contract import Outgoing
from agents.publishing.approval import content_digest
from agents.publishing.asking.answers import Answer, sent
from agents.publishing.asking.post_book import PostBook, book_of, book_of_new
from agents.publishing.asking.requests import (
    DEFAULT_PLATFORM,
    NotAsked,
    check_state,
    check_texts,
    command_for,
    requested_by,
)
from agents.publishing.asking.wall_time import moment_of
from agents.publishing.propose_stage import TOPIC
from schemas.records import PostCommand
from streams.engine.stage import Output
from streams.settings import Settings
from streams.validation import validate
from streams.wall_clock import utc_now


@dataclass(frozen=True, slots=True)
class Wanted:
    """A post that is to be scheduled: of a draft, or of a persona with the texts of its parts.

    `at` is a time as it was written, `at_once` as soon as may be; neither leaves it to the persona's plan.
    """

    draft: str | None = None
    persona: str | None = None
    texts: tuple[str, ...] = ()
    at: str | None = None
    at_once: bool = False
    platform: str | None = None
    topic_tag: str | None = None
    reply_control: str | None = None
    link: str | None = None


async def schedule(settings: Settings, wanted: Wanted) -> Answer:
    """Schedule a draft's publication, or a post of its own, and wait for the publisher.

    Raises:
        NotAsked: something is missing, contradicts itself, or would be refused by the platform.
        UnknownPost: there is no publication of such a draft.
        TimeNotUnderstood: the time is not one.
        Unavailable: Kafka does not answer.
    """
    _check_wanted(wanted)
    directory = await read_directory(settings)
    if wanted.draft is not None:
        async with book_of(settings, wanted.draft) as book:
            post = book.require(wanted.draft)
            now = utc_now()
            due_at, notes = _due(wanted, _in_force(directory, post.persona_id), now)
            command = command_for("schedule", post, now, due_at=due_at)
            check_state(post, command)
            return await _sent(settings, book, command, notes)
    now, persona = utc_now(), _in_force(directory, wanted.persona or "")
    due_at, notes = _due(wanted, persona, now)
    command = _post_of_no_draft(wanted, persona, now, due_at)
    async with book_of_new(settings, command.publication_id or "") as book:
        return await _sent(settings, book, command, notes)


async def _sent(settings: Settings, book: PostBook, command: PostCommand, notes: tuple[str, ...]) -> Answer:
    publication_id = command.publication_id or ""
    outcome = await sent(settings, book, Output(TOPIC, command), command.event_id, publication_id)
    return Answer(book.require(publication_id), command.event_id, outcome, notes)


def _check_wanted(wanted: Wanted) -> None:
    if (wanted.draft is None) == (wanted.persona is None):
        raise NotAsked("say --draft ID, or --persona ID with --text: one of the two")
    if wanted.persona is not None and not wanted.texts:
        raise NotAsked("say --text TEXT; several make a thread")
    if wanted.at is not None and wanted.at_once:
        raise NotAsked("say --at or --now, not both; without either the persona's plan decides")
    try:
        if wanted.topic_tag is not None:
            checked_topic_tag(wanted.topic_tag)
    except ValueError as error:
        raise NotAsked(f"--topic-tag: {error}") from error
    own = {"--text": wanted.texts, "--platform": wanted.platform, "--topic-tag": wanted.topic_tag}
    own |= {"--reply-control": wanted.reply_control, "--link": wanted.link}
    given = [name for name, value in own.items() if value]
    if wanted.draft is not None and given:
        raise NotAsked(
            f"a draft has its own text, and the rest from its persona's plan: leave out {', '.join(given)}, "
            "or change its text with `threads-agent posts edit`"
        )


def _in_force(directory: PersonaDirectory, persona_id: str) -> Persona:
    applied = directory.find(persona_id)
    if applied is None:
        raise NotAsked(
            f"persona {persona_id!r} is not in force; apply it with `threads-agent personas apply`, "
            "`threads-agent personas list` shows those there are"
        )
    return applied.persona


def _due(wanted: Wanted, persona: Persona, now: datetime) -> tuple[datetime | None, tuple[str, ...]]:
    if wanted.at_once:
        return now, ()
    if wanted.at is None:
        return None, ()
    moment = moment_of(wanted.at, persona.posting.timezone)
    if moment.at < now:
        raise NotAsked(f"{wanted.at} is past ({moment.at:%Y-%m-%d %H:%M} UTC); give a later time, or --now")
    return moment.at, (() if moment.note is None else (moment.note,))


def _post_of_no_draft(wanted: Wanted, persona: Persona, now: datetime, due_at: datetime | None) -> PostCommand:
    plan = persona.posting
    command = PostCommand(
        event_id=str(uuid4()),
        occurred_at=now,
        persona_id=persona.persona_id,
        kind="schedule",
        publication_id=str(uuid4()),
        texts=wanted.texts,
        content_digest=content_digest(wanted.texts),
        due_at=due_at,
        platform=wanted.platform,
        topic_tag=wanted.topic_tag or plan.topic_tag,
        reply_control=wanted.reply_control or plan.reply_control,
        link=wanted.link,
        requested_by=requested_by(),
    )
    validate(command)
    first = Outgoing("", "", None, command.topic_tag, command.reply_control, command.link)
    check_texts(wanted.texts, wanted.platform or DEFAULT_PLATFORM, first)
    return command
