"""The score stage: drafts.generated -> novelty, weights in force, score_draft -> drafts.scored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from agents.personas.directory import PersonaDirectory
from agents.scoring.novelty import SaidLately, decoded
from agents.scoring.quality import score_draft
from agents.scoring.weights import BuiltInWeights, WeightsInForce
from schemas.records import DraftGenerated, DraftScored
from streams.engine.batch import Row, RowBatch, TopicPartition
from streams.engine.stage import Change, Effects, Output, Part, Rejection, Stage
from streams.identity import derived_id
from streams.wall_clock import utc_now

PERSONAS_MAX_AGE_S = 1.0  # of the banned phrases: the guard has looked at those of the request's own version
WEIGHTS_MAX_AGE_S = 1.0


class ScorePart(Part[RowBatch[DraftGenerated]]):
    """The drafts of a partition, each with its quality; what was said lately on it is the state."""

    def __init__(
        self,
        said: SaidLately,
        directory: PersonaDirectory,
        models: WeightsInForce,
        threshold: float,
        clock: Callable[[], datetime],
    ) -> None:
        self._said = said
        self._directory = directory
        self._models = models
        self._threshold = threshold
        self._clock = clock
        self._effects = Effects()

    async def add(self, batch: RowBatch[DraftGenerated]) -> Sequence[Rejection]:
        for row in batch.rows:
            scored, changes = self._scored(row)
            self._effects.changes += changes
            self._effects.outputs.append(Output("drafts.scored", scored))
        return ()

    def _scored(self, row: Row[DraftGenerated]) -> tuple[DraftScored, Sequence[Change]]:
        draft = row.record
        applied, in_force = self._directory.find(draft.persona_id), self._models.now()
        novelty = self._said.novelty_of(draft, row.offset)
        quality = score_draft(
            draft,
            banned_phrases=applied.persona.banned_phrases if applied else (),
            threshold=in_force.threshold(self._threshold),
            novelty=novelty,
            weights=in_force.weights,
        )
        scored = DraftScored(
            event_id=derived_id(draft.event_id, "score"),
            occurred_at=self._clock(),
            persona_id=draft.persona_id,
            causation_id=draft.event_id,
            draft=draft,
            quality=quality,
        )
        return scored, self._said.remember(draft, row.offset, novelty, passed=quality.passed)

    def flush(self) -> Effects:
        flushed, self._effects = self._effects, Effects()
        return flushed


class ScoreStage(Stage[ScorePart]):
    """Give every draft its quality.

    State, by draft: how new it was against what its persona had said lately on the same partition, and its text if it
    passed. A draft that comes again is as new as it was.

    The banned phrases are those of the persona in force; drafts of a persona that nobody applied, which only foreign
    producers can write, are scored without any. The weights are those in force too, so a replay scores by the model
    that is in force when it is run; each draft's quality names the weights and the threshold it was judged by.
    """

    name: ClassVar[str] = "score"
    topics: ClassVar[tuple[str, ...]] = ("drafts.generated",)
    stateful: ClassVar[bool] = True

    def __init__(
        self,
        directory: PersonaDirectory,
        *,
        threshold: float,
        models: WeightsInForce | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Score by the weights that `models` says are in force, else by the built-in ones.

        `threshold` is the least score that passes under the built-in weights.
        """
        self._directory = directory
        self._models = models or BuiltInWeights()
        self._threshold = threshold
        self._clock = clock

    def owner_of(self, key: bytes, value: bytes) -> str:
        """Return the persona of a draft."""
        del key
        return decoded(value).persona_id

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> ScorePart:
        del source
        return ScorePart(SaidLately(state), self._directory, self._models, self._threshold, self._clock)

    async def catch_up(self) -> None:
        await self._directory.refresh(max_age_s=PERSONAS_MAX_AGE_S)
        await self._models.refresh(max_age_s=WEIGHTS_MAX_AGE_S)

    async def close(self) -> None:
        await self._directory.close()
        await self._models.close()
