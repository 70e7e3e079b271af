"""Requests: the commands that people send, made and checked before they are sent."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import uuid4

from agents.platforms.capabilities import capabilities_of
from agents.platforms.contract import Outgoing
from agents.platforms.texts import problems
from agents.publishing.asking.post_book import SeenPost
from schemas.records import Decision, PostCommand, PostCommandKind
from streams.errors import ThreadsError
from streams.validation import validate

DEFAULT_PLATFORM: Final = "threads"


class NotAsked(ThreadsError):
    """A command can't have an effect, or is not complete; nothing was sent."""


def requested_by() -> str:
    """Return who asks, as the system knows the user."""
    try:
        return f"{pwd.getpwuid(os.getuid()).pw_name} (command line)"
    except KeyError:
        return f"user {os.getuid()} (command line)"


def command_for(
    kind: PostCommandKind,
    post: SeenPost,
    now: datetime,
    *,
    texts: tuple[str, ...] = (),
    decision: Decision | None = None,
    content_digest: str | None = None,
    revision: int = 0,
    due_at: datetime | None = None,
    reason: str | None = None,
) -> PostCommand:
    """Return a command for a publication; it is not checked against its state."""
    command = PostCommand(
        event_id=str(uuid4()),
        occurred_at=now,
        persona_id=post.persona_id,
        kind=kind,
        publication_id=post.publication_id,
        draft_id=post.draft_id,
        texts=texts,
        decision=decision,
        content_digest=content_digest,
        revision=revision,
        due_at=due_at,
        reason=reason,
        requested_by=requested_by(),
    )
    validate(command)
    return command


def check_state(post: SeenPost, command: PostCommand) -> None:
    """Check that a command can have an effect now.

    Raises:
        NotAsked: it can't; the message says why, and what would.
    """
    why = post.refusal_of(command)
    if why is not None:
        raise NotAsked(f"Publication {post.publication_id}: {why}")


def check_texts(texts: Sequence[str], platform: str, first: Outgoing | None = None) -> None:
    """Check the texts of a thread's parts; `first` says what goes with its first part.

    Raises:
        NotAsked: the platform would refuse them; the message lists what and what to do.
        SettingsError: there is no such platform.
    """
    capabilities = capabilities_of(platform)
    found = []
    for number, text in enumerate(texts):
        shown = f"part {number + 1}: " if len(texts) > 1 else ""
        with_it = first if number == 0 and first is not None else Outgoing("", "")
        outgoing = Outgoing("", text, None, with_it.topic_tag, with_it.reply_control, with_it.link)
        found += [f"{shown}{each}" for each in problems(outgoing, capabilities)]
        found += [f"{shown}the text holds a NUL character: leave it out"] if "\0" in text else []
    if len(texts) > 1 and not capabilities.has_threads:
        found.append("it has no threads: write one part")
    if found:
        raise NotAsked(f"{platform} would refuse it: {'; '.join(found)}")


def platform_of(post: SeenPost) -> str:
    """Return the platform that a publication is for, as far as that is known."""
    last = post.last
    asked = next((each.platform for each in post.commands if each.platform), None)
    return last.platform if last is not None else asked or DEFAULT_PLATFORM
