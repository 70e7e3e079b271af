"""The score stage: drafts.generated -> novelty, score_draft -> drafts.scored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from agents.pending_effects import PendingEffects
from agents.personas.directory import PersonaDirectory
from agents.scoring.quality import score_draft
from agents.scoring.said_lately import Change, SaidLately
from schemas.records import DraftGenerated, DraftScored
from streams.engine.batch import Batch, Row, RowBatch, TopicPartition
from streams.engine.stage import Effects, Output, Rejection, Stage, StateChange
from streams.identity import derived_id
from streams.wall_clock import utc_now

PERSONAS_MAX_AGE_S = 1.0  # of the banned phrases: the guard has looked at those of the request's own version


class ScoreStage(Stage):
    """Give every draft its quality.

    State, by draft: how new it was against what its persona had said lately on the same partition, and its text if it
    passed. A draft that comes again is as new as it was.

    The banned phrases are those of the persona in force; drafts of a persona that nobody applied, which only foreign
    producers can write, are scored without any.
    """

    name: ClassVar[str] = "score"
    topics: ClassVar[tuple[str, ...]] = ("drafts.generated",)
    stateful: ClassVar[bool] = True

    def __init__(
        self, directory: PersonaDirectory, *, threshold: float, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._directory = directory
        self._threshold = threshold
        self._clock = clock
        self._said: dict[TopicPartition, SaidLately] = {}
        self._pending = PendingEffects()

    async def restore(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> None:
        self._said[source] = SaidLately(state)

    async def add(self, batch: Batch) -> Sequence[Rejection]:
        assert isinstance(batch, RowBatch)
        await self._directory.refresh(max_age_s=PERSONAS_MAX_AGE_S)
        effects = self._pending.of(batch.source)
        for row in batch.rows:
            scored, changes = self._scored(self._said[batch.source], row)
            effects.state += [StateChange(batch.source, key, value) for key, value in changes]
            effects.outputs.append(Output("drafts.scored", scored))
        return ()

    def _scored(self, said: SaidLately, row: Row) -> tuple[DraftScored, Sequence[Change]]:
        draft = row.record
        assert isinstance(draft, DraftGenerated)
        applied = self._directory.find(draft.persona_id)
        novelty = said.novelty_of(draft, row.offset)
        quality = score_draft(
            draft,
            banned_phrases=applied.persona.banned_phrases if applied else (),
            threshold=self._threshold,
            novelty=novelty,
        )
        scored = DraftScored(
            event_id=derived_id(draft.event_id, "score"),
            occurred_at=self._clock(),
            persona_id=draft.persona_id,
            causation_id=draft.event_id,
            draft=draft,
            quality=quality,
        )
        return scored, said.remember(draft, row.offset, novelty, passed=quality.passed)

    async def flush(self) -> Effects:
        return self._pending.take()

    async def drop(self, source: TopicPartition) -> None:
        self._said.pop(source, None)
        self._pending.drop(source)

    async def close(self) -> None:
        await self._directory.close()
