"""Versions on a Qdrant server: collections `NAME-rebuild_N`; aliases say which one is live and which were before."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from qdrant_client import AsyncQdrantClient
from qdrant_client.models import CreateAlias, CreateAliasOperation, DeleteAlias, DeleteAliasOperation

from sinks.qdrant.server_store import ServerStore, live_alias, point_of_record, unavailable_when_away
from sinks.qdrant.sink import PREFIX, DraftPoint, VectorStore
from sinks.qdrant.versions import PAGE_POINTS, PointVersion

_OF_VERSION = re.compile(r"^(.+)-((?:rebuild|before)_\d+)$")
_LIVE = live_alias("")


class ServerVersions:
    """The versions on the server that `client` is connected to.

    A server keeps no writer waiting: what a sink writes into the old collections up to the switch is in the log, and is
    read again after it.
    """

    holds_writers_out = False

    def __init__(self, client: AsyncQdrantClient) -> None:
        self._client = client

    async def versions(self) -> list[PointVersion]:
        found = defaultdict[str, list[str]](list)
        physical, aliases = await self._there()
        waiting = [name for name in physical if name not in aliases.values()]
        for name in (*waiting, *aliases):
            match = _OF_VERSION.match(name)
            if match:
                found[match[2]].append(match[1])
        made = [PointVersion(name, tuple(sorted(of))) for name, of in found.items()]
        return sorted(made, key=lambda each: (each.number, each.name))

    async def next_number(self) -> int:
        physical, aliases = await self._there()
        numbers = [int(match[2].partition("_")[2]) for match in map(_OF_VERSION.match, (*physical, *aliases)) if match]
        return max(numbers, default=0) + 1

    async def collections(self, version: str | None) -> list[str]:
        if version is not None:
            return next((list(each.collections) for each in await self.versions() if each.name == version), [])
        physical, aliases = await self._there()
        named = {name.removesuffix(_LIVE) for name in aliases if name.endswith(_LIVE)}
        of_before = {name for name in physical if name not in aliases.values() and not _OF_VERSION.match(name)}
        return sorted(named | of_before)

    def store(self, version: str) -> VectorStore:
        return ServerStore(self._client, version)

    async def points(self, version: str | None, collection: str) -> AsyncIterator[Sequence[DraftPoint]]:
        address = await ServerStore(self._client, version).address(collection)
        start = None
        while address is not None:
            with unavailable_when_away():
                records, start = await self._client.scroll(
                    address, offset=start, limit=PAGE_POINTS, with_payload=True, with_vectors=True
                )
            yield [point_of_record(record) for record in records]
            if start is None:
                return

    @asynccontextmanager
    async def writers_out(self) -> AsyncIterator[None]:
        yield

    async def switch(self, number: int) -> None:
        version, live = f"rebuild_{number}", await self.collections(None)
        changes: list[CreateAliasOperation | DeleteAliasOperation] = []
        for name in await self.collections(version):
            if name in live:
                await ServerStore(self._client).address(name)  # makes the alias of a collection of before aliases
                _, aliases = await self._there()
                changes.append(_alias(aliases[live_alias(name)], f"{name}-before_{number}"))
                changes.append(DeleteAliasOperation(delete_alias=DeleteAlias(alias_name=live_alias(name))))
            changes.append(_alias(f"{name}-{version}", live_alias(name)))
        with unavailable_when_away():
            await self._client.update_collection_aliases(changes)

    async def drop(self, version: str) -> None:
        _, aliases = await self._there()
        for name in await self.collections(version):
            address = f"{name}-{version}"
            with unavailable_when_away():
                await self._client.delete_collection(aliases.get(address, address))

    async def close(self) -> None:
        await self._client.close()

    async def _there(self) -> tuple[list[str], dict[str, str]]:
        """Return our collections, and our aliases with what is behind them."""
        with unavailable_when_away():
            physical = (await self._client.get_collections()).collections
            aliases = (await self._client.get_aliases()).aliases
        names = [each.name for each in physical if each.name.startswith(PREFIX)]
        behind = {each.alias_name: each.collection_name for each in aliases if each.collection_name in names}
        return sorted(names), behind


def _alias(collection: str, alias: str) -> CreateAliasOperation:
    return CreateAliasOperation(create_alias=CreateAlias(collection_name=collection, alias_name=alias))
