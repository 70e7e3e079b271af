"""The server store: collections of a Qdrant server, through its own client."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from qdrant_client import AsyncQdrantClient
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse
from qdrant_client.models import Distance, PointStruct, VectorParams

from sinks.qdrant.points import Collection, DraftPoint
from streams.errors import Unavailable

CHUNK_POINTS = 200  # 3,072 numbers each make 12 MB of JSON; the server takes 32 MB
_CONFLICT, _FIRST_SERVER_FAULT = 409, 500


class ServerStore:
    """A vector store on the server that `client` is connected to; the client carries the time-outs."""

    def __init__(self, client: AsyncQdrantClient) -> None:
        self._client = client
        self._known: set[str] = set()

    @classmethod
    def at(cls, url: str, timeout_s: float) -> ServerStore:
        """Return the store of the server at a URL; every call ends after `timeout_s`."""
        return cls(AsyncQdrantClient(url=url, timeout=max(1, round(timeout_s)), check_compatibility=False))

    async def open(self) -> None:
        """Do nothing: the client connects at its first call."""

    async def upsert(self, collection: Collection, points: Sequence[DraftPoint]) -> None:
        with _unavailable_when_away():
            await self._ensure(collection)
            for start in range(0, len(points), CHUNK_POINTS):
                chunk = points[start : start + CHUNK_POINTS]
                structs = [
                    PointStruct(id=each.point_id, vector=list(each.vector), payload=each.payload) for each in chunk
                ]
                await self._client.upsert(collection.name, structs, wait=True)

    async def read(self, collection: Collection, point_ids: Sequence[str]) -> list[DraftPoint]:
        with _unavailable_when_away():
            if not await self._exists(collection):
                return []
            found = await self._client.retrieve(collection.name, list(point_ids), with_payload=True, with_vectors=True)
        points = []
        for record in found:
            assert isinstance(record.vector, list)
            vector = tuple(number for number in record.vector if isinstance(number, float))
            points.append(DraftPoint(str(record.id), vector, dict(record.payload or {})))
        return sorted(points, key=lambda point: point.point_id)

    async def count(self, collection: Collection) -> int:
        with _unavailable_when_away():
            if not await self._exists(collection):
                return 0
            return (await self._client.count(collection.name, exact=True)).count

    async def close(self) -> None:
        await self._client.close()

    async def _exists(self, collection: Collection) -> bool:
        if collection.name not in self._known and await self._client.collection_exists(collection.name):
            self._known.add(collection.name)
        return collection.name in self._known

    async def _ensure(self, collection: Collection) -> None:
        if await self._exists(collection):
            return
        vectors = VectorParams(size=collection.vector_size, distance=Distance.COSINE)
        try:
            await self._client.create_collection(collection.name, vectors_config=vectors)
        except UnexpectedResponse as error:
            if error.status_code != _CONFLICT:  # another worker was quicker
                raise
        self._known.add(collection.name)


@contextmanager
def _unavailable_when_away() -> Iterator[None]:
    hint = "see that the server at THREADS_QDRANT_URL runs"
    try:
        yield
    except ResourceExhaustedResponse as error:
        raise Unavailable(f"Qdrant is overloaded: {error.message}", retry_after_s=error.retry_after_s) from error
    except ResponseHandlingException as error:
        raise Unavailable(f"Qdrant does not answer: {error.source or error}; {hint}") from error
    except UnexpectedResponse as error:
        if error.status_code is None or error.status_code < _FIRST_SERVER_FAULT:
            raise
        raise Unavailable(f"Qdrant answers with status {error.status_code}; {hint}") from error
