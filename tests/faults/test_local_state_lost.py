"""A worker whose local state is lost or damaged: the changelog has everything, and the KPIs are exact."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Stack
from tests.faults.conftest import SpawnWorker, WorkerProcess
from tests.support.faults.engagement_load import load, produced_during
from tests.support.faults.fault_report import BeginFault, FaultRun

SLOT = "local state"
STORED_BYTES = 2**12
PARTITIONS = 4
RESTORED = r"Restored TopicPartition\(topic='kpi.partials'"
Damage = Callable[[Path, random.Random], None]
"""Damages one store in its folder."""


def deleted(folder: Path, random_: random.Random) -> None:
    shutil.rmtree(folder)


def truncated(folder: Path, random_: random.Random) -> None:
    for path in files(folder):
        os.truncate(path, random_.randrange(path.stat().st_size + 1))


def garbled(folder: Path, random_: random.Random) -> None:
    for path in files(folder):
        path.write_bytes(random_.randbytes(path.stat().st_size))


def one_byte_flipped(folder: Path, random_: random.Random) -> None:
    """Flip a byte among the values of each data file, as a failing disk would: its head, not the index at its end."""
    for path in files(folder, "*.sst"):
        content = bytearray(path.read_bytes())
        if content:  # one that the kill left as it was begun has nothing to flip
            content[random_.randrange((len(content) + 1) // 2)] ^= 0xFF
            path.write_bytes(content)


def half_of_the_files_deleted(folder: Path, random_: random.Random) -> None:
    there = files(folder)
    for path in random_.sample(there, len(there) // 2):
        path.unlink()


def files(folder: Path, pattern: str = "*") -> list[Path]:
    return sorted(path for path in folder.glob(pattern) if path.is_file())


def stores(home: Path) -> list[Path]:
    """Return the folders of the worker's stores: state/<role>/<stage>/<slot>/<topic>-<partition>."""
    return sorted((home / "state" / "kpis").glob(f"*/{SLOT}/*"))


async def until_stored(home: Path) -> None:
    """Wait until the write-ahead log of each store of the merged counters has something to lose."""
    async with asyncio.timeout(120):
        while min(bytes_of(store, "*.log") for store in merged(home)) < STORED_BYTES:
            await asyncio.sleep(0.1)


def bytes_of(store: Path, pattern: str) -> int:
    return sum(size_of(path) for path in files(store, pattern))


async def until_in_data_files(home: Path) -> None:
    """Wait until each store of the merged counters has a data file to lose."""
    async with asyncio.timeout(120):
        while not all(bytes_of(store, "*.sst") for store in merged(home)):
            await asyncio.sleep(0.1)


def merged(home: Path) -> list[Path]:
    return [home / "state" / "kpis" / "merge" / SLOT / f"kpi.partials-{number}" for number in range(PARTITIONS)]


def size_of(path: Path) -> int:
    """Return the size of a file; 0 where RocksDB has just put another in its place."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("damage", [deleted, truncated, garbled, one_byte_flipped, half_of_the_files_deleted])
async def test_sums_stay_exact_when_the_local_state_is(
    stack: Stack, spawn_worker: SpawnWorker, seed: int, begin_fault: BeginFault, damage: Damage
) -> None:
    run = begin_fault(f"local state {damage.__name__.replace('_', ' ')}")
    load_ = load(seed, 60_000)
    for store in stores(stack.home):  # of the test before
        shutil.rmtree(store)
    worker = spawn_worker("kpis", slot=SLOT)
    await produced_during(stack, load_, lose_and_restart(worker, stack.home, damage, random.Random(seed), run))
    assert await run.settle(stack, load_) == 0, worker.log()[-3_000:]


async def lose_and_restart(
    worker: WorkerProcess, home: Path, damage: Damage, random_: random.Random, run: FaultRun
) -> None:
    await until_stored(home)
    worker.restart()  # RocksDB moves what is in its write-ahead log to data files when it is opened again
    await worker.until_said(RESTORED)
    await until_in_data_files(home)
    worker.kill()
    for store in stores(home):
        damage(store, random_)
    run.inflict("kill -9 and damage")
    worker.start()
    await worker.until_said(RESTORED)
    worker.restart()
    run.inflict("kill -9")
    await worker.until_said(RESTORED)
