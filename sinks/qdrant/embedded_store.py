"""The embedded store: Qdrant's engine in this process (qdrant-edge), a folder for each collection."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from qdrant_edge import CountRequest, Distance, EdgeConfig, EdgeShard, EdgeVectorParams, Point, Record, UpdateOperation

from sinks.qdrant.points import Collection, DraftPoint
from streams.errors import Unavailable

LOCK_TIMEOUT_S = 10.0
_CONFIG_FILE = "edge_config.json"  # what the engine writes last when it makes a shard


class EmbeddedStore:
    """A vector store under `folder`.

    The engine wants a folder for itself, so each call takes it, works and lets go: a worker and a replay, or two
    workers, use it in turn. Opening a shard takes milliseconds, which drafts have.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)

    async def upsert(self, collection: Collection, points: Sequence[DraftPoint]) -> None:
        await asyncio.to_thread(self._upsert, collection, points)

    async def read(self, collection: Collection, point_ids: Sequence[str]) -> list[DraftPoint]:
        return await asyncio.to_thread(self._read, collection, point_ids)

    async def count(self, collection: Collection) -> int:
        return await asyncio.to_thread(self._count, collection)

    async def close(self) -> None:
        """Nothing is held between calls."""

    def _upsert(self, collection: Collection, points: Sequence[DraftPoint]) -> None:
        with self._locked():
            if not self._exists(collection):
                self._create(collection)
            with self._shard(collection) as shard:
                shard.update(
                    UpdateOperation.upsert_points(
                        [Point(point.point_id, list(point.vector), dict(point.payload)) for point in points]
                    )
                )
                shard.flush()

    def _read(self, collection: Collection, point_ids: Sequence[str]) -> list[DraftPoint]:
        with self._locked():
            if not self._exists(collection):
                return []
            with self._shard(collection) as shard:
                found = shard.retrieve(list(point_ids), with_payload=True, with_vector=True)
                return sorted(map(_point, found), key=lambda point: point.point_id)

    def _count(self, collection: Collection) -> int:
        with self._locked():
            if not self._exists(collection):
                return 0
            with self._shard(collection) as shard:
                return shard.count(CountRequest(exact=True))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = FileLock(self._folder / "lock", timeout=LOCK_TIMEOUT_S, thread_local=False)
        try:
            lock.acquire()
        except Timeout as error:
            raise Unavailable(
                f"another process has used the embedded Qdrant in {self._folder} for {LOCK_TIMEOUT_S:g} s; "
                "it is tried again, and for more load set THREADS_QDRANT_URL to a Qdrant server"
            ) from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _shard(self, collection: Collection) -> Iterator[EdgeShard]:
        shard = EdgeShard.load(str(self._folder / collection.name))
        try:
            yield shard
        finally:
            shard.close()

    def _exists(self, collection: Collection) -> bool:
        return (self._folder / collection.name / _CONFIG_FILE).exists()

    def _create(self, collection: Collection) -> None:
        """Make a shard under another name first, so that a crash leaves no half of one."""
        path, fresh = self._folder / collection.name, self._folder / "new"
        shutil.rmtree(fresh, ignore_errors=True)
        vectors = EdgeVectorParams(size=collection.vector_size, distance=Distance.Cosine)
        EdgeShard.create(str(fresh), EdgeConfig(vectors=vectors)).close()
        shutil.rmtree(path, ignore_errors=True)
        fresh.rename(path)


def _point(record: Record) -> DraftPoint:
    assert isinstance(record.vector, list)
    vector = tuple(number for number in record.vector if isinstance(number, float))
    return DraftPoint(str(record.id), vector, dict(record.payload or {}))
