"""The Qdrant sink: a point for each accepted draft."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from schemas.records import DraftDecided
from sinks.qdrant.points import Collection, DraftPoint, collection_of, point_of
from sinks.sink import Screened, Sink
from streams.engine.batch import Batch, Row, RowBatch
from streams.engine.stage import Rejection
from streams.errors import RecordFault


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
