"""The deduplicate stage: drafts.scored -> judge -> drafts.accepted or drafts.rejected; embeddings -> cost.events."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from agents.costs.prices import PriceList
from agents.deduplication.accepted_drafts import Nearest
from agents.deduplication.decisions import Kept
from agents.deduplication.draft_vectors import DraftRefused, DraftVectors, Found
from agents.deduplication.embedding import Embedder, Vectors
from agents.deduplication.limits import Limits
from agents.deduplication.partition_memory import PartitionMemory
from agents.deduplication.verdict import judge
from agents.deduplication.wording import Wording, wording_of
from agents.pending_effects import PendingEffects
from agents.scoring.quality import failures
from schemas.records import DraftDecided, DraftScored
from streams.engine.batch import Batch, Row, RowBatch, TopicPartition
from streams.engine.stage import Effects, Output, Rejection, Stage, StateChange
from streams.identity import derived_id
from streams.wall_clock import utc_now

logger = logging.getLogger(__name__)


class DeduplicateStage(Stage):
    """Decide on every draft, once.

    State, by draft and text: the decision, and the vector of an accepted draft. A draft that comes again with the same
    text gets the decision it has, whatever was accepted since; with another text it is decided anew and not compared
    with itself.

    A draft is compared with the accepted drafts of all personas on the same partition. drafts.scored has one partition,
    so that is all of them, in one order; where a foreign producer spreads drafts over the partitions of an older topic,
    those of each are compared among themselves.
    """

    name: ClassVar[str] = "deduplicate"
    topics: ClassVar[tuple[str, ...]] = ("drafts.scored",)
    stateful: ClassVar[bool] = True

    def __init__(
        self,
        *,
        limits: Limits,
        load_embedder: Callable[[], Embedder],
        prices: PriceList,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._limits = limits
        self._load_embedder = load_embedder
        self._prices = prices
        self._clock = clock
        self._memories: dict[TopicPartition, PartitionMemory] = {}
        self._pending = PendingEffects()

    async def open(self) -> None:
        self._embedder = self._load_embedder()
        self._vectors = DraftVectors(self._embedder, self._prices, self._clock)

    async def restore(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> None:
        memory = PartitionMemory(
            self._embedder.model,
            self._embedder.dimensions,
            state,
            by_negations=self._embedder.blind_to_negation,
        )
        self._memories[source] = memory
        if memory.foreign_vectors:
            logger.warning(
                "%d accepted drafts of %s-%d were not embedded by %s: until they come again they are compared by the "
                "hash of their text only",
                *(memory.foreign_vectors, *source, self._embedder.model),
            )

    async def add(self, batch: Batch) -> Sequence[Rejection]:
        assert isinstance(batch, RowBatch)
        memory, effects = self._memories[batch.source], self._pending.of(batch.source)
        drafts = [(row, _scored(row), wording_of(_scored(row).draft)) for row in batch.rows]
        found = await self._vectors.take(self._to_embed(memory, drafts))  # nothing is folded before this succeeds
        rejections: list[Rejection] = []
        for row, scored, wording in drafts:
            vector = found.get(wording.key)
            if isinstance(vector, DraftRefused):
                rejections.append(Rejection(row.offset, vector.fault))
                continue
            kept, changes = self._decide(memory, scored, wording, vector.vector if vector else None)
            effects.state += [StateChange(batch.source, key, value) for key, value in changes]
            effects.outputs.append(Output(f"drafts.{kept.verdict.decision}", self._decided(scored, kept)))
        effects.outputs += _bookings(found)
        return rejections

    def _to_embed(
        self, memory: PartitionMemory, drafts: Sequence[tuple[Row, DraftScored, Wording]]
    ) -> Mapping[str, DraftScored]:
        """Return the drafts that can only be decided with a vector: neither known nor of poor quality."""
        return {
            wording.key: scored
            for _, scored, wording in drafts
            if memory.lacks_vector(wording) and (memory.find(wording) or not failures(scored.quality))
        }

    def _decide(
        self, memory: PartitionMemory, scored: DraftScored, wording: Wording, vector: Vectors | None
    ) -> tuple[Kept, Sequence[tuple[bytes, bytes | None]]]:
        known = memory.find(wording)
        if known is not None:
            if vector is not None and memory.lacks_vector(wording):
                return memory.embed_again(known, vector)
            return known, ()
        nearest = Nearest()
        if vector is not None:
            nearest = memory.nearest(wording, vector)
        verdict = judge(failures(scored.quality), memory.same_text(wording), nearest, self._limits)
        accepted = verdict.decision == "accepted"
        return memory.remember(wording, verdict, self._clock(), vector if accepted else None)

    def _decided(self, scored: DraftScored, kept: Kept) -> DraftDecided:
        return DraftDecided(
            event_id=derived_id(scored.event_id, "decision"),
            occurred_at=kept.decided_at,
            persona_id=scored.persona_id,
            causation_id=scored.event_id,
            draft=scored.draft,
            quality=scored.quality,
            decision=kept.verdict.decision,
            reasons=kept.verdict.reasons,
            near_duplicate=kept.verdict.near_duplicate,
            embedding_model=kept.model,
            embedding=() if kept.vector is None else tuple(kept.vector.tolist()),
        )

    async def flush(self) -> Effects:
        return self._pending.take()

    async def drop(self, source: TopicPartition) -> None:
        self._memories.pop(source, None)
        self._pending.drop(source)

    async def close(self) -> None:
        await self._embedder.close()


def _scored(row: Row) -> DraftScored:
    assert isinstance(row.record, DraftScored)
    return row.record


def _bookings(found: Mapping[str, Found]) -> list[Output]:
    return [Output("cost.events", each.cost) for each in found.values() if each.cost is not None]
