"""The score stage: drafts.generated -> score_draft -> drafts.scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar

from agents.pending_effects import PendingEffects
from agents.personas.directory import PersonaDirectory
from agents.scoring.quality import score_draft
from schemas.records import DraftGenerated, DraftScored
from streams.engine.batch import Batch, RowBatch, TopicPartition
from streams.engine.stage import Effects, Output, Rejection, Stage
from streams.identity import derived_id
from streams.wall_clock import utc_now


class ScoreStage(Stage):
    """Give every draft its quality.

    The banned phrases are those of the persona in force; drafts of a persona that nobody applied, which only foreign
    producers can write, are scored without any.
    """

    name: ClassVar[str] = "score"
    topics: ClassVar[tuple[str, ...]] = ("drafts.generated",)

    def __init__(
        self, directory: PersonaDirectory, *, threshold: float, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._directory = directory
        self._threshold = threshold
        self._clock = clock
        self._pending = PendingEffects()

    async def add(self, batch: Batch) -> Sequence[Rejection]:
        assert isinstance(batch, RowBatch)
        await self._directory.refresh()
        for row in batch.rows:
            assert isinstance(row.record, DraftGenerated)
            self._pending.of(batch.source).outputs.append(Output("drafts.scored", self._scored(row.record)))
        return ()

    def _scored(self, draft: DraftGenerated) -> DraftScored:
        applied = self._directory.find(draft.persona_id)
        return DraftScored(
            event_id=derived_id(draft.event_id, "score"),
            occurred_at=self._clock(),
            persona_id=draft.persona_id,
            causation_id=draft.event_id,
            draft=draft,
            quality=score_draft(
                draft,
                banned_phrases=applied.persona.banned_phrases if applied else (),
                threshold=self._threshold,
            ),
        )

    async def flush(self) -> Effects:
        return self._pending.take()

    async def drop(self, source: TopicPartition) -> None:
        self._pending.drop(source)

    async def close(self) -> None:
        await self._directory.close()
