"""Erase somebody from Qdrant: the points whose payload names it, in all collections of ours."""

from __future__ import annotations

from collections.abc import Sequence

from sinks.qdrant.role import vector_store
from streams.erasers import Holding
from streams.settings import Settings


async def erase(settings: Settings, key: str, *, dry_run: bool) -> Sequence[Holding]:
    """Delete the points of a persona's drafts.

    Raises:
        Unavailable: the store is away; call again.
    """
    store = vector_store(settings)
    await store.open()
    try:
        count = await (store.count_of(key) if dry_run else store.forget(key))
    finally:
        await store.close()
    return [Holding("qdrant", "points", count)]
