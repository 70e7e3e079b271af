"""KPI history reaches a real Prometheus at its own times, twice without a difference; without a receiver, a file."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.records import KpiUpdate
from sinks.prometheus_history.open_metrics import OpenMetricsFile
from sinks.prometheus_history.target import PrometheusHistory
from streams.embedded.ports import free_port
from streams.embedded.process import Launch, stop
from streams.embedded.prometheus import PrometheusServer
from streams.embedded.server import run_server
from streams.engine.batch import Row, RowBatch, TopicPartition

KPIS = TopicPartition("kpi.updates", 0)
STEP_S = 600
HOURS = 5
TIMEOUT_S = 10


class WithoutReceiver(PrometheusServer):
    """A Prometheus as it is by default."""

    def launch(self) -> Launch:
        launch = super().launch()
        return replace(launch, command=tuple(word for word in launch.command if "remote-write" not in word))


@contextmanager
def running(server: PrometheusServer, folder: Path) -> Iterator[str]:
    process = run_server(server, folder / "logs")
    try:
        yield server.address
    finally:
        stop(process, server.launch().stop_signal)


def updates(now: datetime) -> RowBatch[KpiUpdate]:
    """Return updates of two personas, every ten minutes of the last hours, the newest first."""
    rows = [
        KpiUpdate(
            event_id=f"{persona} {number}",
            occurred_at=at,
            persona_id=persona,
            window="24h",
            window_end=at,
            engagement_rate=number / 100,
        )
        for number in range(HOURS * 6)
        for at in (now - timedelta(seconds=STEP_S * number),)
        for persona in ("nova", "orion")
    ]
    rows.append(replace(rows[0], event_id="of another window", window="1h", engagement_rate=99.0))
    rows.append(replace(rows[0], event_id="too old", window_end=now - timedelta(days=90)))
    return RowBatch(KPIS, [Row(offset, row) for offset, row in enumerate(rows)])


def asked(address: str, now: datetime) -> dict[str, list[tuple[float, str]]]:
    """Return the values of each persona at the instants of the updates."""
    begin = now.timestamp() - STEP_S * (HOURS * 6 - 1)
    query = {"query": "posts_engagement_rate", "start": begin, "end": now.timestamp(), "step": STEP_S}
    url = f"{address}/api/v1/query_range?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
        found = json.load(answer)["data"]["result"]
    return {series["metric"]["persona_id"]: [tuple(value) for value in series["values"]] for series in found}


@pytest.mark.timeout(60)
async def test_history_is_written_at_its_own_times_and_twice_is_once(prometheus_program: Path, tmp_path: Path) -> None:
    now = datetime.fromtimestamp(int(time.time()), UTC)
    file = OpenMetricsFile(tmp_path / "history.om")
    with running(PrometheusServer(prometheus_program, tmp_path / "prometheus", free_port()), tmp_path) as address:
        found = []
        for _ in range(2):
            target = PrometheusHistory(address, "24h", file, TIMEOUT_S)
            await target.write([updates(now)])
            await target.close()
            found.append(asked(address, now))
    assert found[0] == found[1]
    wanted = [f"{number / 100:g}" for number in reversed(range(HOURS * 6))]
    assert {persona: [value for _, value in values] for persona, values in found[0].items()} == {
        "nova": wanted,
        "orion": wanted,
    }
    assert not file.path.exists()


@pytest.mark.timeout(60)
async def test_without_a_receiver_history_is_a_file_that_promtool_reads(
    prometheus_program: Path, tmp_path: Path
) -> None:
    now = datetime.fromtimestamp(int(time.time()), UTC)
    file = OpenMetricsFile(tmp_path / "history.om")
    with running(WithoutReceiver(prometheus_program, tmp_path / "prometheus", free_port()), tmp_path) as address:
        target = PrometheusHistory(address, "24h", file, TIMEOUT_S)
        await target.write([updates(now)])
        await target.write([updates(now)])
        await target.close()
    promtool = prometheus_program.with_name("promtool")
    await told_by(promtool, "create-blocks-from", "openmetrics", file.path, tmp_path / "blocks")
    listed = await told_by(promtool, "list", tmp_path / "blocks")
    assert sum(int(line.split()[4]) for line in listed.splitlines()[1:]) >= 2 * HOURS * 6


async def told_by(promtool: Path, *arguments: str | Path) -> str:
    """Return what a command about blocks says."""
    command = [promtool, "tsdb", *arguments]
    ended = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert ended.returncode == 0, ended.stderr
    return str(ended.stdout)
