"""Asking the publisher: cancel, edit, retry, delete, and approvals, each with what came of it."""

from __future__ import annotations

from typing import Final, Literal

from agents.publishing.approval import content_digest
from agents.publishing.asking.answers import Answer, sent
from agents.publishing.asking.post_book import book_of
from agents.publishing.asking.requests import check_state, check_texts, command_for, platform_of
from agents.publishing.identity import command_of
from agents.publishing.propose_stage import TOPIC
from schemas.records import Decision, DraftReviewed, PostCommand
from streams.engine.stage import Output
from streams.identity import derived_id
from streams.settings import Settings
from streams.validation import validate
from streams.wall_clock import utc_now

REVIEWS: Final = "drafts.reviews"


async def ask(
    settings: Settings,
    kind: Literal["cancel", "retry", "delete", "edit"],
    either_id: str,
    *,
    texts: tuple[str, ...] = (),
    reason: str | None = None,
) -> Answer:
    """Ask for something to be done with a publication, named by its id or its draft's, and wait for the publisher.

    Raises:
        NotAsked: it comes too late, or the platform would refuse the texts.
        UnknownPost: there is no such publication.
        Unavailable: Kafka does not answer.
    """
    async with book_of(settings, either_id) as book:
        post = book.require(either_id)
        digest = content_digest(texts) if texts else None
        command = command_for(kind, post, utc_now(), texts=texts, content_digest=digest, reason=reason)
        check_state(post, command)
        if texts:
            check_texts(texts, platform_of(post))
        outcome = await sent(settings, book, Output(TOPIC, command), command.event_id, post.publication_id)
        return Answer(post, command.event_id, outcome)


async def review(
    settings: Settings, decision: Decision, either_id: str, *, digest: str | None = None, reason: str | None = None
) -> Answer:
    """Approve or reject the text of a publication, and wait for the publisher.

    `digest` is that of the text which was looked at; without it the text that it has now is meant. What stands already
    is not sent again. A draft's own text is reviewed on drafts.reviews, where the gateway's reviews stand too, so that
    one order decides between them.

    Raises:
        NotAsked: it comes too late, or the digest is another one.
        UnknownPost: there is no such publication.
        Unavailable: Kafka does not answer.
    """
    async with book_of(settings, either_id) as book:
        post = book.require(either_id)
        looked_at = digest or post.digest
        standing = post.reviews.of(looked_at)
        command = command_for("review", post, utc_now(), decision=decision, content_digest=looked_at, reason=reason)
        check_state(post, command)
        if standing is not None and standing.decision == decision:
            return Answer(post, None, "stands", (f"{decision} already by {standing.reviewed_by}",))
        replaced = () if standing is None else (f"replaces: {standing.decision} by {standing.reviewed_by}",)
        command = command_for(
            "review",
            post,
            command.occurred_at,
            decision=decision,
            content_digest=looked_at,
            reason=reason,
            revision=1 if standing is None else standing.revision + 1,
        )
        output, event_id = Output(TOPIC, command), command.event_id
        if post.is_as_drafted:
            reviewed = _draft_reviewed(command)
            output, event_id = Output(REVIEWS, reviewed), command_of("review", reviewed.event_id)
        outcome = await sent(settings, book, output, event_id, post.publication_id)
        return Answer(post, event_id, outcome, replaced)


def _draft_reviewed(command: PostCommand) -> DraftReviewed:
    draft_id, digest, decision = command.draft_id or "", command.content_digest or "", command.decision or "rejected"
    identity = (draft_id, digest, str(command.revision), decision, command.requested_by)
    record = DraftReviewed(
        event_id=derived_id("draft review", *identity),
        occurred_at=command.occurred_at,
        persona_id=command.persona_id,
        draft_id=draft_id,
        content_digest=digest,
        revision=command.revision,
        decision=decision,
        reason=command.reason,
        reviewed_by=command.requested_by,
    )
    validate(record)
    return record
