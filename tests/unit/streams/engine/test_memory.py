"""Free memory: holes between what stays go back to the system."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from streams.engine.memory import memory_returner

BLOCK_BYTES = 60_000  # below the size that glibc maps apart
BLOCKS = 2_000


def test_holes_between_what_stays_go_back_to_the_system() -> None:
    trim = memory_returner()
    if trim is None or not Path("/proc/self/status").exists():
        pytest.skip("this C library has no malloc_trim: it returns memory by itself")
    blocks = [bytes([1]) * BLOCK_BYTES for _ in range(BLOCKS)]
    stays = blocks[::2]
    del blocks
    before = psutil.Process().memory_info().rss
    trim(0)
    returned = before - psutil.Process().memory_info().rss
    assert returned > BLOCKS // 2 * BLOCK_BYTES / 2
    assert len(stays) == BLOCKS // 2
