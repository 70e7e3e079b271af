"""The deduplicate stage: drafts.scored -> judge -> drafts.accepted or drafts.rejected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from agents.deduplication.decisions import Kept
from agents.deduplication.embedding import Embedder, Vectors, WordLlamaEmbedder
from agents.deduplication.normalised_text import text_hash
from agents.deduplication.partition_memory import PartitionMemory
from agents.deduplication.verdict import judge
from agents.pending_effects import PendingEffects
from schemas.records import DraftDecided, DraftScored
from streams.engine.batch import Batch, RowBatch, TopicPartition
from streams.engine.stage import Effects, Output, Rejection, Stage, StateChange
from streams.identity import derived_id
from streams.wall_clock import utc_now


class DeduplicateStage(Stage):
    """Decide on every draft, once.

    State, by draft: the decision, and the vector of an accepted draft. A draft that comes again with the same text gets
    the decision it has, whatever was accepted since; with another text it is decided anew and not compared with itself.

    A draft is compared with the accepted drafts of its persona on the same partition. Drafts are keyed by persona and
    written by our own producer, so that is all of them; those of a foreign producer that spreads a persona over
    partitions are compared within each.
    """

    name: ClassVar[str] = "deduplicate"
    topics: ClassVar[tuple[str, ...]] = ("drafts.scored",)
    stateful: ClassVar[bool] = True

    def __init__(
        self,
        *,
        similarity_limit: float,
        load_embedder: Callable[[], Embedder] = WordLlamaEmbedder,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._similarity_limit = similarity_limit
        self._load_embedder = load_embedder
        self._clock = clock
        self._memories: dict[TopicPartition, PartitionMemory] = {}
        self._pending = PendingEffects()

    async def open(self) -> None:
        self._embedder = self._load_embedder()

    async def restore(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> None:
        self._memories[source] = PartitionMemory(self._embedder.dimensions, state)

    async def add(self, batch: Batch) -> Sequence[Rejection]:
        assert isinstance(batch, RowBatch)
        vectors = self._embedder.embed([_scored(row.record).draft.text for row in batch.rows])
        effects = self._pending.of(batch.source)
        for row, vector in zip(batch.rows, vectors, strict=True):
            scored = _scored(row.record)
            kept = self._decide(batch.source, row.offset, scored, vector)
            effects.outputs.append(Output(f"drafts.{kept.decision}", self._decided(scored, kept)))
        return ()

    def _decide(self, source: TopicPartition, offset: int, scored: DraftScored, vector: Vectors) -> Kept:
        memory, draft, digest = self._memories[source], scored.draft, text_hash(scored.draft.text)
        known = memory.find(draft.draft_id)
        if known is not None and known.text_hash == digest:
            return known
        verdict = judge(
            scored,
            text_hash=digest,
            vector=vector,
            accepted=memory.accepted_of(draft.persona_id),
            similarity_limit=self._similarity_limit,
        )
        kept = Kept(
            draft_id=draft.draft_id,
            persona_id=draft.persona_id,
            text_hash=digest,
            offset=offset,
            decided_at=self._clock(),
            decision=verdict.decision,
            reasons=verdict.reasons,
            near_duplicate=verdict.near_duplicate,
            vector=vector if verdict.decision == "accepted" else None,
        )
        changes = memory.remember(kept)
        self._pending.of(source).state += [StateChange(source, key, value) for key, value in changes]
        return kept

    def _decided(self, scored: DraftScored, kept: Kept) -> DraftDecided:
        return DraftDecided(
            event_id=derived_id(scored.event_id, "decision"),
            occurred_at=kept.decided_at,
            persona_id=scored.persona_id,
            causation_id=scored.event_id,
            draft=scored.draft,
            quality=scored.quality,
            decision=kept.decision,
            reasons=kept.reasons,
            near_duplicate=kept.near_duplicate,
            embedding_model=self._embedder.model,
            embedding=() if kept.vector is None else tuple(kept.vector.tolist()),
        )

    async def flush(self) -> Effects:
        return self._pending.take()

    async def drop(self, source: TopicPartition) -> None:
        self._memories.pop(source, None)
        self._pending.drop(source)


def _scored(record: object) -> DraftScored:
    assert isinstance(record, DraftScored)
    return record
