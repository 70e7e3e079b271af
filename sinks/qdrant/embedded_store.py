"""The embedded store: Qdrant's engine in this process (qdrant-edge), a folder for each collection."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout
from qdrant_edge import CountRequest, Distance, EdgeConfig, EdgeShard, EdgeVectorParams, Point, Record, UpdateOperation

from sinks.qdrant.points import Collection, DraftPoint
from streams.errors import SettingsError

_CONFIG_FILE = "edge_config.json"  # what the engine writes last when it makes a shard


class EmbeddedStore:
    """A vector store under `folder`, which belongs to one process at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = FileLock(folder / "lock", timeout=0, thread_local=False)
        self._shards: dict[str, EdgeShard] = {}

    async def open(self) -> None:
        """Lock the folder.

        Raises:
            SettingsError: another process has it.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise SettingsError(
                f"another process uses the embedded Qdrant in {self._folder}, which only one can: run a single "
                "sink-qdrant worker and stop it for a replay, or set THREADS_QDRANT_URL to a Qdrant server"
            ) from error

    async def upsert(self, collection: Collection, points: Sequence[DraftPoint]) -> None:
        await asyncio.to_thread(self._upsert, collection, points)

    async def read(self, collection: Collection, point_ids: Sequence[str]) -> list[DraftPoint]:
        return await asyncio.to_thread(self._read, collection, point_ids)

    async def count(self, collection: Collection) -> int:
        shard = await asyncio.to_thread(self._existing, collection)
        return shard.count(CountRequest(exact=True)) if shard else 0

    async def close(self) -> None:
        for shard in self._shards.values():
            shard.close()
        self._shards.clear()
        self._lock.release()

    def _upsert(self, collection: Collection, points: Sequence[DraftPoint]) -> None:
        shard = self._existing(collection) or self._create(collection)
        shard.update(
            UpdateOperation.upsert_points(
                [Point(point.point_id, list(point.vector), dict(point.payload)) for point in points]
            )
        )
        shard.flush()

    def _read(self, collection: Collection, point_ids: Sequence[str]) -> list[DraftPoint]:
        shard = self._existing(collection)
        found = shard.retrieve(list(point_ids), with_payload=True, with_vector=True) if shard else []
        return sorted(map(_point, found), key=lambda point: point.point_id)

    def _existing(self, collection: Collection) -> EdgeShard | None:
        path = self._folder / collection.name
        if collection.name not in self._shards and (path / _CONFIG_FILE).exists():
            self._shards[collection.name] = EdgeShard.load(str(path))
        return self._shards.get(collection.name)

    def _create(self, collection: Collection) -> EdgeShard:
        """Make a shard under another name first, so that a crash leaves no half of one."""
        path, fresh = self._folder / collection.name, self._folder / "new"
        shutil.rmtree(fresh, ignore_errors=True)
        vectors = EdgeVectorParams(size=collection.vector_size, distance=Distance.Cosine)
        EdgeShard.create(str(fresh), EdgeConfig(vectors=vectors)).close()
        shutil.rmtree(path, ignore_errors=True)
        fresh.rename(path)
        shard = self._shards[collection.name] = EdgeShard.load(str(path))
        return shard


def _point(record: Record) -> DraftPoint:
    assert isinstance(record.vector, list)
    vector = tuple(number for number in record.vector if isinstance(number, float))
    return DraftPoint(str(record.id), vector, dict(record.payload or {}))
