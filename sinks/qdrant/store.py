"""The contract of a vector store: the embedded engine and a server keep it alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sinks.qdrant.points import Collection, DraftPoint


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
