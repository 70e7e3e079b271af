"""Reading ahead gives what the generator gives, ends it when nobody takes more, and passes on its error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from streams.replaying.ahead import ahead


async def test_all_items_come_in_order() -> None:
    async def numbers() -> AsyncGenerator[int, None]:
        for number in range(10):
            yield number

    assert [number async for number in ahead(numbers())] == list(range(10))


async def test_the_next_item_is_made_while_the_one_before_is_worked_on() -> None:
    made: list[int] = []

    async def numbers() -> AsyncGenerator[int, None]:
        for number in range(10):
            made.append(number)
            yield number

    async with aclosing(ahead(numbers())) as items:
        async for _ in items:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            break
        assert 1 < len(made) < 5


async def test_an_error_comes_after_what_was_before_it() -> None:
    async def broken() -> AsyncGenerator[int, None]:
        yield 1
        raise ValueError("broken")

    items = ahead(broken())
    assert await anext(items) == 1
    with pytest.raises(ValueError, match="broken"):
        await anext(items)


async def test_who_leaves_early_ends_the_reading() -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncGenerator[int, None]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    async with aclosing(ahead(endless())) as items:
        async for _ in items:
            break
    assert closed.is_set()
