"""The embedded store: Qdrant's engine in this process (qdrant-edge), a folder for each collection."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from qdrant_edge import (
    CountRequest,
    Distance,
    EdgeConfig,
    EdgeShard,
    EdgeVectorParams,
    FieldCondition,
    Filter,
    MatchValue,
    Point,
    Record,
    UpdateOperation,
)

from sinks.qdrant.folder_switch import FolderSwitch
from sinks.qdrant.sink import PREFIX, Collection, DraftPoint
from streams.errors import Unavailable

LOCK_TIMEOUT_S = 10.0
CONFIG_FILE = "edge_config.json"  # what the engine writes last when it makes a shard


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

    async def count_of(self, persona_id: str) -> int:
        return await asyncio.to_thread(self._of_persona, persona_id, deletes=False)

    async def forget(self, persona_id: str) -> int:
        return await asyncio.to_thread(self._of_persona, persona_id, deletes=True)

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
                return sorted(map(point_of_record, found), key=lambda point: point.point_id)

    def _count(self, collection: Collection) -> int:
        with self._locked():
            if not self._exists(collection):
                return 0
            with self._shard(collection) as shard:
                return shard.count(CountRequest(exact=True))

    def _of_persona(self, persona_id: str, *, deletes: bool) -> int:
        """Return how many points of all collections are a persona's, and delete them where that is asked."""
        total, of = 0, Filter(must=[FieldCondition("persona_id", match=MatchValue(persona_id))])
        within = f"{PREFIX}*/{CONFIG_FILE}"
        with self._locked():
            for path in sorted(
                [*self._folder.glob(within), *self._folder.glob(f"*/{within}")]
            ):  # versions beside it too
                with self._shard_at(path.parent) as shard:
                    total += shard.count(CountRequest(exact=True, filter=of))
                    if deletes:
                        shard.update(UpdateOperation.delete_points_by_filter(of))
                        shard.flush()
        return total

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
            FolderSwitch.finish(self._folder)
            yield
        finally:
            lock.release()

    @contextmanager
    def _shard(self, collection: Collection) -> Iterator[EdgeShard]:
        with self._shard_at(self._folder / collection.name) as shard:
            yield shard

    @contextmanager
    def _shard_at(self, path: Path) -> Iterator[EdgeShard]:
        shard = EdgeShard.load(str(path))
        try:
            yield shard
        finally:
            shard.close()

    def _exists(self, collection: Collection) -> bool:
        return (self._folder / collection.name / CONFIG_FILE).exists()

    def _create(self, collection: Collection) -> None:
        """Make a shard under another name first, so that a crash leaves no half of one."""
        path, fresh = self._folder / collection.name, self._folder / "new"
        shutil.rmtree(fresh, ignore_errors=True)
        vectors = EdgeVectorParams(size=collection.vector_size, distance=Distance.Cosine)
        EdgeShard.create(str(fresh), EdgeConfig(vectors=vectors)).close()
        shutil.rmtree(path, ignore_errors=True)
        fresh.rename(path)


def point_of_record(record: Record) -> DraftPoint:
    """Return a point as the engine has it."""
    assert isinstance(record.vector, list)
    vector = tuple(number for number in record.vector if isinstance(number, float))
    return DraftPoint(str(record.id), vector, dict(record.payload or {}))
