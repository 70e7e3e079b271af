"""Versions of the embedded store: folders `rebuild_N` and `before_N` beside the live collections, swapped by names."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from filelock import FileLock, Timeout
from qdrant_edge import EdgeShard, ScrollRequest

from sinks.qdrant.embedded_store import CONFIG_FILE, LOCK_TIMEOUT_S, EmbeddedStore, point_of_record
from sinks.qdrant.folder_switch import FolderSwitch
from sinks.qdrant.sink import DraftPoint, VectorStore
from sinks.qdrant.versions import PAGE_POINTS, PointVersion
from streams.errors import Unavailable

Start = int | UUID | str | None
"""Where a page begins, None for the first; behind the last there is none."""
_VERSION = re.compile(r"^(rebuild|before)_(\d+)$")


class EmbeddedVersions:
    """The versions under the folder of an EmbeddedStore, which workers may use meanwhile: each call takes its lock."""

    holds_writers_out = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = FileLock(folder / "lock", timeout=LOCK_TIMEOUT_S, thread_local=False)

    async def versions(self) -> list[PointVersion]:
        found = [
            PointVersion(path.name, tuple(collections_in(path)))
            for path in (self._folder.iterdir() if self._folder.exists() else ())
            if _VERSION.match(path.name)
        ]
        return sorted(found, key=lambda each: (each.number, each.name))

    async def next_number(self) -> int:
        return max((each.number for each in await self.versions()), default=0) + 1

    async def collections(self, version: str | None) -> list[str]:
        async with self.writers_out():
            return collections_in(self._path(version))

    def store(self, version: str) -> VectorStore:
        return EmbeddedStore(self._path(version))

    async def points(self, version: str | None, collection: str) -> AsyncIterator[Sequence[DraftPoint]]:
        folder = self._path(version) / collection
        start: Start = None
        while True:
            async with self.writers_out():
                page, start = await asyncio.to_thread(_page, folder, start)
            yield page
            if start is None:
                return

    @asynccontextmanager
    async def writers_out(self) -> AsyncIterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            await asyncio.to_thread(self._lock.acquire)
        except Timeout as error:
            raise Unavailable(
                f"another process has used the embedded Qdrant in {self._folder} for {LOCK_TIMEOUT_S:g} s; "
                "run this again, or stop `threads-agent worker sink-qdrant` first"
            ) from error
        try:
            FolderSwitch.finish(self._folder)
            yield
        finally:
            self._lock.release()

    async def switch(self, number: int) -> None:
        async with self.writers_out():
            version = f"rebuild_{number}"
            FolderSwitch(version, f"before_{number}", collections_in(self._path(version))).begin(self._folder)
            await asyncio.to_thread(FolderSwitch.finish, self._folder)

    async def drop(self, version: str) -> None:
        await asyncio.to_thread(shutil.rmtree, self._path(version), ignore_errors=True)

    async def close(self) -> None:
        """Nothing is held between calls."""

    def _path(self, version: str | None) -> Path:
        return self._folder if version is None else self._folder / version


def collections_in(folder: Path) -> list[str]:
    """Return the names of the collections in a folder, sorted."""
    if not folder.exists():
        return []
    return sorted(path.name for path in folder.iterdir() if path.name != "new" and (path / CONFIG_FILE).exists())


def _page(folder: Path, start: Start) -> tuple[list[DraftPoint], Start]:
    if not (folder / CONFIG_FILE).exists():
        return [], None
    shard = EdgeShard.load(str(folder))
    try:
        request = ScrollRequest(offset=start, limit=PAGE_POINTS, with_payload=True, with_vector=True)
        records, following = shard.scroll(request)
        return [point_of_record(record) for record in records], following
    finally:
        shard.close()
