"""The deduplicate stage: drafts.scored -> judge -> drafts.accepted or drafts.rejected; embeddings -> cost.events."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from agents.costs.prices import PriceList
from agents.deduplication.accepted_drafts import Nearest, Wording, wording_of
from agents.deduplication.draft_vectors import DraftRefused, DraftVectors, Found
from agents.deduplication.partition_memory import Kept, PartitionMemory, decoded
from agents.deduplication.verdict import SimilarityLimits, judge
from agents.embedding.embedding import Embedder, Vectors
from agents.scoring.quality import failures
from schemas.records import DraftDecided, DraftScored
from streams.engine.batch import Row, RowBatch, TopicPartition
from streams.engine.stage import Change, Effects, Output, Part, Rejection, Stage
from streams.identity import derived_id
from streams.wall_clock import utc_now

logger = logging.getLogger(__name__)


class DeduplicatePart(Part[RowBatch[DraftScored]]):
    """The drafts of a partition, each decided on once; the decisions are the state."""

    def __init__(
        self, memory: PartitionMemory, vectors: DraftVectors, limits: SimilarityLimits, clock: Callable[[], datetime]
    ) -> None:
        self._memory = memory
        self._vectors = vectors
        self._limits = limits
        self._clock = clock
        self._effects = Effects()

    async def add(self, batch: RowBatch[DraftScored]) -> Sequence[Rejection]:
        drafts = [(row, wording_of(row.record.draft)) for row in batch.rows]
        found = await self._vectors.take(self._to_embed(drafts))  # nothing is folded before this succeeds
        rejections: list[Rejection] = []
        for row, wording in drafts:
            vector = found.get(wording.key)
            if isinstance(vector, DraftRefused):
                rejections.append(Rejection(row.offset, vector.fault))
                continue
            kept, changes = self._decide(row.record, wording, vector.vector if vector else None)
            self._effects.changes += changes
            self._effects.outputs.append(Output(f"drafts.{kept.verdict.decision}", _decided(row.record, kept)))
        self._effects.outputs += _bookings(found)
        return rejections

    def _to_embed(self, drafts: Sequence[tuple[Row[DraftScored], Wording]]) -> Mapping[str, DraftScored]:
        """Return the drafts that can only be decided with a vector: neither known nor of poor quality."""
        memory = self._memory
        return {
            wording.key: row.record
            for row, wording in drafts
            if memory.lacks_vector(wording) and (memory.find(wording) or not failures(row.record.quality))
        }

    def _decide(self, scored: DraftScored, wording: Wording, vector: Vectors | None) -> tuple[Kept, Sequence[Change]]:
        memory = self._memory
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

    def flush(self) -> Effects:
        flushed, self._effects = self._effects, Effects()
        return flushed


class DeduplicateStage(Stage[DeduplicatePart]):
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
        limits: SimilarityLimits,
        load_embedder: Callable[[], Embedder],
        prices: PriceList,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._limits = limits
        self._load_embedder = load_embedder
        self._prices = prices
        self._clock = clock

    async def open(self) -> None:
        self._embedder = self._load_embedder()
        self._vectors = DraftVectors(self._embedder, self._prices, self._clock)

    def owner_of(self, key: bytes, value: bytes) -> str:
        """Return the persona of a decision."""
        del key
        return decoded(value).wording.persona_id

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> DeduplicatePart:
        memory = PartitionMemory(
            self._embedder.model,
            self._embedder.dimensions,
            state,
            by_negations=self._embedder.blind_to_negation,
        )
        if memory.foreign_vectors:
            logger.warning(
                "%d accepted drafts of %s-%d were not embedded by %s: until they come again they are compared by the "
                "hash of their text only",
                *(memory.foreign_vectors, *source, self._embedder.model),
            )
        return DeduplicatePart(memory, self._vectors, self._limits, self._clock)

    async def close(self) -> None:
        await self._embedder.close()


def _decided(scored: DraftScored, kept: Kept) -> DraftDecided:
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


def _bookings(found: Mapping[str, Found]) -> list[Output]:
    return [Output("cost.events", each.cost) for each in found.values() if each.cost is not None]
