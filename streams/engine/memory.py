"""The memory of a worker: a collector tuned for many records, and what was freed goes back to the system."""

from __future__ import annotations

import asyncio
import ctypes
import gc
from collections.abc import Callable

YOUNG_OBJECTS = 20_000
RETURN_INTERVAL_S = 2.0


def tune_garbage_collection() -> None:
    """Look for cycles less often, and never again among the objects that there are now.

    A fetched record is a new object with a list of headers, so with Python's default (700 new objects) the collector
    runs every 350 records, which took half of the fetching thread's time. Call it when everything is imported.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 100)


def memory_returner() -> Callable[[int], int] | None:
    """Return glibc's malloc_trim, None where the C library has none: others return memory by themselves."""
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, TypeError):
        return None
    return trim


async def keep_returning_free_memory() -> None:
    """Return free memory to the system every RETURN_INTERVAL_S, until cancelled.

    Arrays that come and go leave holes between those that stay, which glibc keeps: after 10,000,000 events as much as
    150 MB. Returning them takes about 7 ms, in a thread and without the interpreter's lock.
    """
    trim = memory_returner()
    while trim is not None:
        await asyncio.sleep(RETURN_INTERVAL_S)
        await asyncio.to_thread(trim, 0)
