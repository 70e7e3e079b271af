"""Versions of the points: the live collections, `rebuild_N` beside them, and `before_N`, which were live before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from sinks.qdrant.sink import DraftPoint, VectorStore

PAGE_POINTS = 1_000


@dataclass(frozen=True, slots=True)
class PointVersion:
    """A version besides the live one: its name, and its collections by the names that they have when live."""

    name: str
    collections: tuple[str, ...]

    @property
    def number(self) -> int:
        """Return N of rebuild_N or before_N."""
        return int(self.name.partition("_")[2])


class VersionedStore(Protocol):
    """A vector store whose collections can be built beside and put in place; None stands for the live version.

    A method that can't reach the store raises `Unavailable`; the same call may be made again.
    """

    @property
    def holds_writers_out(self) -> bool:
        """Tell whether `writers_out` keeps anybody waiting."""

    async def versions(self) -> list[PointVersion]:
        """Return the versions there are besides the live one, by number."""

    async def next_number(self) -> int:
        """Return an N that no version has or had whose collections are there."""

    async def collections(self, version: str | None) -> list[str]:
        """Return the names of a version's collections, sorted, as they are when live."""

    def store(self, version: str) -> VectorStore:
        """Return the store that writes into a version; it is closed with this one."""

    def points(self, version: str | None, collection: str) -> AsyncIterator[Sequence[DraftPoint]]:
        """Yield all points of a collection, page by page; none where it is not there."""

    def writers_out(self) -> AbstractAsyncContextManager[None]:
        """Keep whoever writes into the live version waiting, where the store can; readers too."""

    async def switch(self, number: int) -> None:
        """Put the collections of `rebuild_N` in place, all at once; those that they replace stay as `before_N`.

        A live collection that `rebuild_N` does not have stays live.
        """

    async def drop(self, version: str) -> None:
        """Remove a version; one that is not there is gone already."""

    async def close(self) -> None:
        """Let go of the store."""
