"""Every row of the real archive counts once, in Postgres, in the KPIs and in Prometheus, while workers are killed."""

from __future__ import annotations

import asyncio
import json
import random
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from streams.endpoints import read_endpoints
from tests.conftest import Stack
from tests.faults.conftest import SpawnWorker
from tests.support.faults.fault_report import BeginFault

IMPRESSIONS, CLICKS, ROWS = 45_735_453, 597_536, 13_067  # of the file itself: data/README.md beside it
KILLS = 5
DEADLINE_S = 90.0


@dataclass(frozen=True)
class Sums:
    """Views and clicks of one persona, wherever they are shown."""

    views: int
    clicks: int

    def difference(self, other: Sums) -> int:
        return abs(self.views - other.views) + abs(self.clicks - other.clicks)


WHOLE_FILE = Sums(IMPRESSIONS, CLICKS)


class Reader:
    """Read the sums of a persona from each place that shows them."""

    def __init__(self, stack: Stack, persona: str) -> None:
        self._stack = stack
        self._persona = persona

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "streams.cli.main", *arguments]
        environment = self._stack.environment()
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)

    def postgres(self) -> Sums:
        query = "SELECT kind, sum(count)::bigint FROM engagement WHERE persona_id = %s GROUP BY kind"
        with psycopg.connect(self._stack.postgres_dsn, connect_timeout=10) as connection:
            try:
                found: dict[str, int] = dict(connection.execute(query, (self._persona,)).fetchall())
            except psycopg.errors.UndefinedTable:  # the sink, killed at once, has yet to make it
                found = {}
        return Sums(found.get("view", 0), found.get("click", 0))

    def kpis(self) -> Sums:
        shown = self.command("kpis", "--persona", self._persona, "--window", "lifetime", "--json")
        assert shown.returncode == 0, shown.stderr
        return next((Sums(one["views"], one["clicks"]) for one in json.loads(shown.stdout)), Sums(0, 0))

    def prometheus(self) -> Sums:
        with urllib.request.urlopen(str(read_endpoints(self._stack.home).metrics), timeout=10) as answer:
            text = answer.read().decode()

        def value(kind: str) -> int:
            sample = re.search(
                rf'^engagements_total{{kind="{kind}",persona_id="{self._persona}"}} (\S+)$', text, re.MULTILINE
            )
            return int(float(sample[1])) if sample else 0

        return Sums(value("views"), value("clicks"))

    def settled(self, read: Callable[[], Sums]) -> Sums:
        deadline = time.monotonic() + DEADLINE_S
        while (sums := read()) != WHOLE_FILE and time.monotonic() < deadline:
            time.sleep(0.5)
        return sums


@pytest.mark.timeout(400)
async def test_every_row_counts_once_everywhere_while_workers_are_killed(
    stack: Stack, upworthy_csv: Path, spawn_worker: SpawnWorker, seed: int, begin_fault: BeginFault
) -> None:
    run = begin_fault("kill -9 while the real archive is imported")
    random_ = random.Random(seed)
    persona = f"upworthy-{seed}"
    reader = Reader(stack, persona)
    kpis, sink = spawn_worker("kpis", slot="0"), spawn_worker("sink-postgres", slot="0")
    spawn_worker("sink-prometheus", slot="0")
    arguments = ("import", "engagement", str(upworthy_csv), "--preset", "upworthy", "--persona", persona)
    importing = asyncio.create_task(asyncio.to_thread(reader.command, *arguments))
    for _ in range(KILLS):
        await asyncio.sleep(random_.uniform(0.2, 3.0))  # a random moment of the import, not a wait for anything
        kpis.restart()
        run.inflict("kill -9 of kpis")
        await asyncio.sleep(random_.uniform(0.0, 1.0))
        sink.restart()
        run.inflict("kill -9 of sink-postgres")
    done = await importing
    assert done.returncode == 0, done.stderr
    run.events = ROWS
    imported_at = time.monotonic()
    for read in (reader.postgres, reader.kpis, reader.prometheus):
        sums = await asyncio.to_thread(reader.settled, read)
        run.found(sums.difference(WHOLE_FILE), time.monotonic() - imported_at)
        assert sums == WHOLE_FILE, kpis.log()[-2_000:] + sink.log()[-2_000:]
    again = reader.command(*arguments)
    assert again.returncode == 0, again.stderr
    assert "already imported" in again.stdout + again.stderr
    assert reader.postgres() == reader.kpis() == reader.prometheus() == WHOLE_FILE
