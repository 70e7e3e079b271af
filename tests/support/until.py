"""Waiting for a condition, with a deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

POLL_S = 0.005


async def until(holds: Callable[[], object], within_s: float = 20.0) -> None:
    """Return once the condition holds.

    Raises:
        AssertionError: it does not in time.
    """
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {within_s:g} s"
        await asyncio.sleep(POLL_S)
