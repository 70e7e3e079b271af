"""The propose stage: decided drafts and their reviews by hand -> posts.commands, in one order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from agents.personas.directory import PersonaDirectory
from agents.personas.posting import PostingPlan
from agents.publishing.approval import content_digest
from agents.publishing.identity import ROLE, command_of
from schemas.records import DraftDecided, DraftReviewed, PostCommand
from streams.engine.batch import RowBatch, TopicPartition
from streams.engine.stage import Effects, Output, Part, Rejection, Stage

TOPIC = "posts.commands"
PERSONAS_MAX_AGE_S = 1.0


class ProposePart(Part[RowBatch[DraftDecided | DraftReviewed]]):
    """The commands that follow from a partition since the last flush."""

    def __init__(self, directory: PersonaDirectory) -> None:
        self._directory = directory
        self._commands: list[PostCommand] = []

    async def add(self, batch: RowBatch[DraftDecided | DraftReviewed]) -> Sequence[Rejection]:
        for row in batch.rows:
            record = row.record
            self._commands.append(
                review_of(record)
                if isinstance(record, DraftReviewed)
                else proposal_of(record, self._plan_of(record.persona_id))
            )
        return ()

    def _plan_of(self, persona_id: str) -> PostingPlan:
        """Return the plan in force; a persona that is not in force has none, and the publisher says so."""
        applied = self._directory.find(persona_id)
        return applied.persona.posting if applied else PostingPlan()

    def flush(self) -> Effects:
        commands, self._commands = self._commands, []
        return Effects(outputs=[Output(TOPIC, each) for each in commands])


class ProposeStage(Stage[ProposePart]):
    """Propose every decided draft, the rejected ones too, which only a review can approve; pass on the reviews.

    Reads: drafts.accepted, drafts.rejected, drafts.reviews, from their beginnings; besides, the plans of personas for
    topic tag and reply control. Writes: posts.commands. It keeps no state: the id of a command follows from that of its
    record, so what is read again is told again under the same ids. A proposal is told with the time of the decision:
    the publisher lets those expire that were decided long before it first saw them, as in a log that is older than it.
    A review can stand before the proposal of its draft, since they come from different topics.
    """

    name: ClassVar[str] = "propose"
    topics: ClassVar[tuple[str, ...]] = ("drafts.accepted", "drafts.rejected", "drafts.reviews")

    def __init__(self, directory: PersonaDirectory) -> None:
        self._directory = directory

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> ProposePart:
        del source, state
        return ProposePart(self._directory)

    async def catch_up(self) -> None:
        await self._directory.refresh(max_age_s=PERSONAS_MAX_AGE_S)

    async def close(self) -> None:
        await self._directory.close()


def proposal_of(decided: DraftDecided, posting: PostingPlan) -> PostCommand:
    """Return the command that proposes a draft, as of its decision."""
    draft = decided.draft
    texts = (draft.text,)
    return PostCommand(
        event_id=command_of("propose", decided.event_id),
        occurred_at=decided.occurred_at,
        persona_id=decided.persona_id,
        causation_id=decided.event_id,
        kind="propose",
        draft_id=draft.draft_id,
        texts=texts,
        decision=decided.decision,
        content_digest=content_digest(texts),
        topic_tag=posting.topic_tag,
        reply_control=posting.reply_control,
        model=draft.model,
        requested_by=ROLE,
    )


def review_of(reviewed: DraftReviewed) -> PostCommand:
    """Return the command that passes a review of a draft on."""
    return PostCommand(
        event_id=command_of("review", reviewed.event_id),
        occurred_at=reviewed.occurred_at,
        persona_id=reviewed.persona_id,
        causation_id=reviewed.event_id,
        kind="review",
        draft_id=reviewed.draft_id,
        decision=reviewed.decision,
        content_digest=reviewed.content_digest,
        revision=reviewed.revision,
        reason=reviewed.reason,
        requested_by=reviewed.reviewed_by,
    )
