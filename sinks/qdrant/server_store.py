"""The server store: collections of a Qdrant server, through its own client, each by an alias that says what is live."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from qdrant_client import AsyncQdrantClient
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse
from qdrant_client.models import (
    CreateAlias,
    CreateAliasOperation,
    Distance,
    FieldCondition,
    Filter,
    FilterSelector,
    MatchValue,
    PointStruct,
    Record,
    VectorParams,
)

from sinks.qdrant.sink import PREFIX, Collection, DraftPoint
from streams.errors import Unavailable

CHUNK_POINTS = 200  # 3,072 numbers each make 12 MB of JSON; the server takes 32 MB
_CONFLICT, _FIRST_SERVER_FAULT = 409, 500


def live_alias(name: str) -> str:
    """Return the alias by which a collection is written and read: what is behind it is exchanged by a rebuild."""
    return f"{name}-live"


class ServerStore:
    """A vector store on the server that `client` is connected to; the client carries the time-outs."""

    def __init__(self, client: AsyncQdrantClient, version: str | None = None) -> None:
        """Use the live collections or, where it is named, those of a version beside them."""
        self._client = client
        self._version = version
        self._known: set[str] = set()

    @classmethod
    def at(cls, url: str, timeout_s: float) -> ServerStore:
        """Return the store of the server at a URL; every call ends after `timeout_s`."""
        return cls(client_at(url, timeout_s))

    async def open(self) -> None:
        """Do nothing: the client connects at its first call."""

    async def upsert(self, collection: Collection, points: Sequence[DraftPoint]) -> None:
        with unavailable_when_away():
            address = await self.address(collection.name) or await self._create(collection)
            for start in range(0, len(points), CHUNK_POINTS):
                chunk = points[start : start + CHUNK_POINTS]
                structs = [
                    PointStruct(id=each.point_id, vector=list(each.vector), payload=each.payload) for each in chunk
                ]
                await self._client.upsert(address, structs, wait=True)

    async def read(self, collection: Collection, point_ids: Sequence[str]) -> list[DraftPoint]:
        with unavailable_when_away():
            address = await self.address(collection.name)
            if address is None:
                return []
            found = await self._client.retrieve(address, list(point_ids), with_payload=True, with_vectors=True)
        return sorted(map(point_of_record, found), key=lambda point: point.point_id)

    async def count(self, collection: Collection) -> int:
        with unavailable_when_away():
            address = await self.address(collection.name)
            return 0 if address is None else (await self._client.count(address, exact=True)).count

    async def count_of(self, persona_id: str) -> int:
        return await self._of_persona(persona_id, deletes=False)

    async def forget(self, persona_id: str) -> int:
        return await self._of_persona(persona_id, deletes=True)

    async def _of_persona(self, persona_id: str, *, deletes: bool) -> int:
        """Return how many points of all collections are a persona's, and delete them where that is asked."""
        total, of = 0, Filter(must=[FieldCondition(key="persona_id", match=MatchValue(value=persona_id))])
        with unavailable_when_away():
            found = [each.name for each in (await self._client.get_collections()).collections]
            for name in sorted(each for each in found if each.startswith(PREFIX)):
                total += (await self._client.count(name, count_filter=of, exact=True)).count
                if deletes:
                    await self._client.delete(name, FilterSelector(filter=of), wait=True)
        return total

    async def close(self) -> None:
        await self._client.close()

    async def address(self, name: str) -> str | None:
        """Return what a collection is written and read by, None where there is none.

        A collection that was made before there were aliases gets its own.
        """
        address = live_alias(name) if self._version is None else f"{name}-{self._version}"
        with unavailable_when_away():
            if address not in self._known and await self._is_there(address, name):
                self._known.add(address)
        return address if address in self._known else None

    async def _is_there(self, address: str, name: str) -> bool:
        if self._version is not None:
            return await self._client.collection_exists(address)
        if any(each.alias_name == address for each in (await self._client.get_aliases()).aliases):
            return True
        if not await self._client.collection_exists(name):
            return False
        await self._make_live(name)
        return True

    async def _create(self, collection: Collection) -> str:
        physical = collection.name if self._version is None else f"{collection.name}-{self._version}"
        vectors = VectorParams(size=collection.vector_size, distance=Distance.COSINE)
        try:
            await self._client.create_collection(physical, vectors_config=vectors)
        except UnexpectedResponse as error:
            if error.status_code != _CONFLICT:  # another worker was quicker
                raise
        if self._version is None:
            await self._make_live(collection.name)
        address = await self.address(collection.name)
        assert address is not None
        return address

    async def _make_live(self, name: str) -> None:
        alias = CreateAlias(collection_name=name, alias_name=live_alias(name))
        await self._client.update_collection_aliases([CreateAliasOperation(create_alias=alias)])


def client_at(url: str, timeout_s: float) -> AsyncQdrantClient:
    """Return a client of the server at a URL; every call ends after `timeout_s`."""
    return AsyncQdrantClient(url=url, timeout=max(1, round(timeout_s)), check_compatibility=False)


def point_of_record(record: Record) -> DraftPoint:
    """Return a point as the server has it."""
    assert isinstance(record.vector, list)
    vector = tuple(number for number in record.vector if isinstance(number, float))
    return DraftPoint(str(record.id), vector, dict(record.payload or {}))


@contextmanager
def unavailable_when_away() -> Iterator[None]:
    """Turn errors of the client in the body into Unavailable, where the server is away, overloaded or ill."""
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
