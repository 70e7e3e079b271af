"""The Qdrant sink: a point for each accepted draft, and the contract of the stores that take it."""

from __future__ import annotations

import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol
from uuid import UUID

from schemas.records import DraftDecided
from sinks.sink import Sink
from streams.engine.batch import Batch, Row, RowBatch
from streams.engine.stage import Rejection, Screened
from streams.errors import RecordFault
from streams.identity import derived_id

MAX_VECTOR_SIZE = 65_535  # Qdrant's own limit
_MAX_SLUG = 80
_NOT_SLUG = re.compile(r"[^a-z0-9]+")

PREFIX = "drafts-"
"""What the names of collections begin with."""
PayloadValue = str | float | None


@dataclass(frozen=True, slots=True)
class Collection:
    """The points of one embedding model: vectors of different models or sizes are never compared."""

    name: str
    vector_size: int


@dataclass(frozen=True, slots=True)
class DraftPoint:
    """An accepted draft: `point_id` is a UUID as text, `vector` its embedding, of unit length in the store."""

    point_id: str
    vector: tuple[float, ...]
    payload: dict[str, PayloadValue]


def point_of(decided: DraftDecided) -> DraftPoint:
    """Return the point of an accepted draft.

    Raises:
        RecordFault: its embedding is missing, too long, all zeros or not finite.
    """
    draft, vector = decided.draft, decided.embedding
    if not 0 < len(vector) <= MAX_VECTOR_SIZE:
        raise RecordFault(
            f"expected an embedding of 1 to {MAX_VECTOR_SIZE:,} numbers, got {len(vector):,} "
            f"(model {decided.embedding_model!r}); send the draft with its embedding"
        )
    if not all(map(math.isfinite, vector)) or not any(vector):
        raise RecordFault("expected an embedding of finite numbers, not all zero; embed the draft again")
    return DraftPoint(
        point_id(draft.draft_id),
        vector,
        {
            "draft_id": draft.draft_id,
            "persona_id": draft.persona_id,
            "text": draft.text,
            "model": draft.model,
            "embedding_model": decided.embedding_model,
            "score": decided.quality.score if math.isfinite(decided.quality.score) else None,
            "occurred_at": decided.occurred_at.isoformat(timespec="milliseconds"),
        },
    )


def point_id(draft_id: str) -> str:
    """Return the draft's id where it is a UUID, as our agents make it, else a UUID derived from it."""
    try:
        return str(UUID(draft_id))
    except ValueError:
        return derived_id("qdrant point", draft_id)


def collection_of(embedding_model: str, vector_size: int) -> Collection:
    """Return the collection of a model's vectors; its name holds the model's, and differs from any other's."""
    slug = _NOT_SLUG.sub("-", embedding_model.lower()).strip("-")[:_MAX_SLUG]
    if slug != embedding_model:
        slug += "-" + hashlib.sha256(embedding_model.encode()).hexdigest()[:8]
    return Collection(f"{PREFIX}{slug}-{vector_size}", vector_size)


class VectorStore(Protocol):
    """Points by id in collections that are made when they are first written to; distances are cosine.

    A method that can't reach the store raises `Unavailable`; the same call may be made again.
    """

    async def open(self) -> None:
        """Take hold of the store.

        Raises:
            SettingsError: it can't be had with these settings.
        """

    async def upsert(self, collection: Collection, points: Sequence[DraftPoint]) -> None:
        """Put points in place of those with their ids; durable when it returns."""

    async def read(self, collection: Collection, point_ids: Sequence[str]) -> list[DraftPoint]:
        """Return the points there are of these ids, ordered by id."""

    async def count(self, collection: Collection) -> int:
        """Return how many points there are; 0 where the collection was never written to."""

    async def count_of(self, persona_id: str) -> int:
        """Return how many points of all collections are a persona's."""

    async def forget(self, persona_id: str) -> int:
        """Delete the points of a persona from all collections; return how many they were."""

    async def close(self) -> None:
        """Let go of the store."""


class QdrantSink(Sink):
    """Upserts the embeddings of accepted drafts by draft id: written again, a point is the same point."""

    name: ClassVar[str] = "sink-qdrant"
    topics: ClassVar[tuple[str, ...]] = ("drafts.accepted",)

    def __init__(self, store: VectorStore) -> None:
        self._store = store

    async def open(self) -> None:
        await self._store.open()

    async def screen(self, batch: Batch) -> Screened:
        assert isinstance(batch, RowBatch)
        rows: list[Row[DraftDecided]] = []
        rejections: list[Rejection] = []
        for row in batch.rows:
            try:
                point_of(_decided(row))
                rows.append(row)
            except RecordFault as fault:
                rejections.append(Rejection(row.offset, fault))
        return Screened(RowBatch(batch.source, rows) if rows else None, tuple(rejections))

    async def write(self, batches: Sequence[Batch]) -> None:
        points: dict[Collection, dict[str, DraftPoint]] = defaultdict(dict)
        for batch in batches:
            assert isinstance(batch, RowBatch)
            for decided in map(_decided, batch.rows):
                point = point_of(decided)
                points[collection_of(decided.embedding_model, len(point.vector))][point.point_id] = point
        for collection, by_id in points.items():
            await self._store.upsert(collection, list(by_id.values()))

    async def close(self) -> None:
        await self._store.close()


def _decided(row: Row[Any]) -> DraftDecided:
    assert isinstance(row.record, DraftDecided)
    return row.record
