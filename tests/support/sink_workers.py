"""A worker process of sink roles that is killed and started again, and the series that it serves."""

from __future__ import annotations

import asyncio
import os
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streams.endpoints import read_endpoints
from streams.kafka.cluster import Cluster
from streams.settings import Settings
from tests.support.postgres_tables import own_database

DEADLINE_S = 180.0
POLL_S = 0.05


class Servers(Protocol):
    """The part of the session's stack that is used here."""

    postgres_dsn: str
    bootstrap: str
    cluster: Cluster
    settings: Settings


class SinkWorkers:
    """One process that runs roles, with a database, a home and an identity of its own."""

    def __init__(self, stack: Servers, roles: tuple[str, ...], dsn: str, home: Path) -> None:
        self.dsn, self.home = dsn, home
        self._roles = roles
        self._log = home / "worker.log"
        self._instance = uuid4().hex
        self._environment = os.environ | {
            "THREADS_HOME": str(home),
            "THREADS_KAFKA": stack.bootstrap,
            "THREADS_POSTGRES_DSN": dsn,
        }
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        command = (sys.executable, "-m", "streams.cli.main", "worker", *self._roles, "--instance-id", self._instance)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, env=self._environment, stdout=log, stderr=log
            )

    async def kill(self) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def stop(self) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.terminate()
        async with asyncio.timeout(DEADLINE_S):
            await self._process.wait()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition; a worker that ended, or the deadline, fails with the worker's log."""
        assert self._process is not None
        deadline = time.monotonic() + DEADLINE_S
        while not await asyncio.to_thread(condition):
            if self._process.returncode is not None or time.monotonic() > deadline:
                pytest.fail(f"not reached; the worker's log ends:\n{self._log.read_text()[-3000:]}")
            await asyncio.sleep(POLL_S)


@asynccontextmanager
async def sink_workers(stack: Servers, roles: tuple[str, ...], home: Path) -> AsyncIterator[SinkWorkers]:
    """Start roles on a database of their own, and take both away at the end."""
    with own_database(stack.postgres_dsn) as dsn:
        workers = SinkWorkers(stack, roles, dsn, home)
        await workers.start()
        try:
            yield workers
        finally:
            await workers.kill()


def series(home: Path) -> dict[tuple[str, ...], float]:
    """Return the samples by name and sorted label values; empty while nobody serves them."""
    url = read_endpoints(home).metrics
    try:
        with urllib.request.urlopen(url or "", timeout=5) as answer:
            text = answer.read().decode()
    except (OSError, ValueError):
        return {}
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
