"""A worker's own metrics over HTTP, as Prometheus and the supervisor find them."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streams.embedded.prometheus import TARGETS, PrometheusServer
from streams.embedded.supervisor import Supervisor
from streams.endpoints import update_endpoints
from streams.metrics import ENGINE_METRICS, WORKER_STATE, WORKER_STOPPED
from streams.running_workers import FOLDER, RunningWorker, announced, running_workers
from streams.settings import Settings
from tests.conftest import Stack
from tests.faults.conftest import SpawnWorker, WorkerProcess

TIMEOUT_S = 10.0


def series(url: str) -> dict[str, dict[str, float]]:
    """Return the values of each series by its stage."""
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        samples = [sample for family in families for sample in family.samples]
    found: dict[str, dict[str, float]] = {}
    for sample in samples:
        if sample.labels.get("state", "closed") == "closed":
            found.setdefault(sample.name, {})[sample.labels.get("stage", "")] = sample.value
    return found


def announced_by(stack: Stack, worker: WorkerProcess) -> list[RunningWorker]:
    return [each for each in running_workers(stack.home) if each.process.pid == worker.process.pid]


async def test_a_worker_of_two_roles_serves_the_metrics_of_both_until_sigterm(
    stack: Stack, spawn_worker: SpawnWorker
) -> None:
    worker = spawn_worker("kpis", "sink-postgres", slot="metrics")
    await worker.until_running()
    [found] = announced_by(stack, worker)
    assert found.roles == ("kpis", "sink-postgres")
    shown = await asyncio.to_thread(series, found.metrics_url)
    told = {re.sub("_(bucket|sum|count)$", "", name) for name in shown}
    later = {WORKER_STATE.name, WORKER_STOPPED.name}  # once it has partitions, and while one of them is stopped
    assert told | later == {metric.name for metric in ENGINE_METRICS}
    assert set(shown["worker_role_failing"].values()) == {0.0}
    assert "sink-postgres" in shown["worker_breaker_state"]
    assert len(shown["worker_breaker_state"]) >= 2
    assert set(shown["worker_breaker_state"].values()) == {1.0}
    assert all(0 <= age < 60 for age in shown["worker_checkpoint_age_seconds"].values())
    assert worker.stop() == 0
    assert announced_by(stack, worker) == []
    assert not (stack.home / FOLDER / f"{worker.process.pid}.json").exists()


async def test_scrapers_that_never_read_harm_neither_the_worker_nor_another_scraper(
    stack: Stack, spawn_worker: SpawnWorker
) -> None:
    worker = spawn_worker("kpis", slot="metrics")
    await worker.until_running()
    [found] = announced_by(stack, worker)
    host, _, port = found.metrics_url.removeprefix("http://").partition("/")[0].partition(":")
    slow = [socket.create_connection((host, int(port)), TIMEOUT_S) for _ in range(8)]
    try:
        for each in slow:
            each.sendall(b"GET /metrics HTTP/1.1\r\n")  # and never the end of the request
        assert await asyncio.to_thread(series, found.metrics_url)
    finally:
        for each in slow:
            each.close()
    assert worker.stop() == 0


async def test_a_taken_port_is_told_with_the_setting_to_change(stack: Stack, spawn_worker: SpawnWorker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        worker = spawn_worker("kpis", slot="metrics", THREADS_WORKER_METRICS_PORT=str(port))
        assert await asyncio.to_thread(worker.process.wait, 60) == 2
    assert f"port {port} can't be taken" in worker.log()
    assert "set THREADS_WORKER_METRICS_PORT to another port" in worker.log()


def test_the_supervisor_has_the_sink_and_all_running_workers_scraped(tmp_path: Path) -> None:
    prometheus = PrometheusServer(Path("prometheus"), tmp_path / "prometheus", 9090)
    prometheus.prepare()
    supervisor = Supervisor(Settings(home=tmp_path), (), print)
    update_endpoints(tmp_path, metrics="http://127.0.0.1:1/metrics")

    def scraped() -> list[tuple[list[str], str | None]]:
        groups = json.loads((prometheus.folder / TARGETS).read_text(encoding="utf-8"))
        return [(group["targets"], group["labels"].get("role")) for group in groups]

    sink = (["127.0.0.1:1"], None)
    with announced(tmp_path, ["generation", "spend"], "http://127.0.0.1:2/metrics"):
        supervisor._name_targets(prometheus, now=100.0)
        assert scraped() == [sink, (["127.0.0.1:2"], "generation,spend")]
    supervisor._name_targets(prometheus, now=200.0)
    assert scraped() == [sink]


def test_the_announcement_of_a_killed_worker_is_passed_over_and_removed_by_the_next(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from streams.running_workers import announced\n"
        "with announced(Path(sys.argv[1]), ['kpis'], 'http://127.0.0.1:1/metrics'):\n"
        "    print('up', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"up\n"
        assert [each.process.pid for each in running_workers(tmp_path)] == [killed.pid]
        killed.kill()
        killed.wait(TIMEOUT_S)
    left = tmp_path / FOLDER / f"{killed.pid}.json"
    assert left.exists()
    assert running_workers(tmp_path) == []
    with announced(tmp_path, ["spend"], "http://127.0.0.1:2/metrics") as own:
        assert not left.exists()
        assert running_workers(tmp_path) == [own]
    assert running_workers(tmp_path) == []


@pytest.mark.parametrize("text", ["", "[]", json.dumps({"process": {}}), json.dumps({"roles": []})])
def test_a_file_that_is_no_announcement_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "1.json").write_text(text, encoding="utf-8")
    assert running_workers(tmp_path) == []
