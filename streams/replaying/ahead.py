"""Reading ahead: the next items are made while the one before is worked on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")


class _End:
    """Stands behind the last item; `error` is what ended them, None for a good end."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error


async def ahead(items: AsyncGenerator[T, None], most: int = 1) -> AsyncGenerator[T, None]:
    """Yield the items of a generator, which runs on until `most` of them wait; what it raises is raised here."""
    queue: asyncio.Queue[T | _End] = asyncio.Queue(most)

    async def fill() -> None:
        try:
            async with aclosing(items) as each:
                async for item in each:
                    await queue.put(item)
        except Exception as error:  # noqa: BLE001 - it is raised where the items are taken
            await queue.put(_End(error))
        else:
            await queue.put(_End(None))

    filling = asyncio.create_task(fill())
    try:
        while not isinstance(item := await queue.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        filling.cancel()
        await asyncio.gather(filling, return_exceptions=True)
