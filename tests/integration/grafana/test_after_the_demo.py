"""After the demo's load no panel is empty on the real stack: who should emit a series does, with its labels."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from agents.demo.stack import PACE
from streams.endpoints import Endpoints, read_endpoints
from tests.support.dashboards import (
    ANNOTATIONS,
    SQL,
    TARGETS,
    VARIABLES,
    Prometheus,
    expanded,
    filled_in,
    offered,
    table,
)
from tests.support.operator_home import COMMAND_TIMEOUT_S, Home

DEMO_TIMEOUT_S = 280.0
SCRAPED_WITHIN_S, POLL_S = 30.0, 0.2
RATE_INTERVAL = "5m"
EMPTY_ALL_THE_SAME = {
    "Cost per follow": "real headline tests tell of no follows, and a ratio without a denominator is absent",
    "Cost per follow over time": "the same",
    "Cost per follow, live": "the same",
    "Decisions and reasons": "no draft has to be refused",
    "Budget alerts": "no budget is set",
    "Stopped partitions": "nothing stops at a record where the policy is to park",
    "Tokens end in": "the simulated accounts of the demo have tokens without an end, and stand on no topic",
    "Accounts by state": "the same",
    "Not published, and why": "every post is published",
    "Polls that failed": "the simulator answers every poll",
    "Accounts not asked with": "the same",
    "Rewards told": "no post of the demo is an hour old",
    "Notices of platforms": "without an app's secret nothing signs webhooks",
}


@contextmanager
def model() -> Iterator[dict[str, str]]:
    """An API like OpenAI's in a process of its own, as the settings that lead there."""
    command = [sys.executable, "-m", "tests.support.openai.loopback", "--latency", "0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield {"OPENAI_BASE_URL": server.stdout.readline().strip(), "OPENAI_API_KEY": "loopback"}
        finally:
            server.terminate()


async def send_garbage(bootstrap: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        await producer.send_and_wait("engagement.events", b"garbage", key=b"nobody")


def visit_until_counted(url: str, prometheus: Prometheus) -> None:
    """Ask the gateway until Prometheus has seen its counters grow."""
    deadline = time.monotonic() + COMMAND_TIMEOUT_S
    while not prometheus.ask("query", query="sum (increase(http_requests_total[1m])) > 0")["result"]:
        assert time.monotonic() < deadline, "the gateway's requests are not counted"
        for path in ("/livez", "/readyz", "/v1/me"):
            with suppress(urllib.error.HTTPError):  # counted as well
                urllib.request.urlopen(url + path, timeout=10).close()


@pytest.fixture(scope="module")
def stack(prometheus_program: Path) -> Iterator[Endpoints]:
    """The embedded stack after the demo."""
    del prometheus_program  # skips where there is none
    with TemporaryDirectory(prefix="demo for grafana ", ignore_cleanup_errors=True) as folder, model() as settings:
        operator = Home(Path(folder), **settings, **PACE)
        operator.folder.chmod(0o755)  # as root PostgreSQL runs as nobody, who must be able to enter
        try:
            told = operator.told("up", "--detach")
            assert "sink-grafana-live is left out: set THREADS_GRAFANA_URL" in told
            asyncio.run(send_garbage(str(read_endpoints(operator.folder).kafka)))
            operator.told("demo", "--once", "--requests", "4", timeout_s=DEMO_TIMEOUT_S)
            found = read_endpoints(operator.folder)
            visit_until_counted(str(found.gateway), Prometheus(str(found.prometheus)))
            yield found
        finally:
            operator.told("down")


@pytest.fixture(scope="module")
def prometheus(stack: Endpoints) -> Prometheus:
    return Prometheus(str(stack.prometheus))


def await_series(prometheus: Prometheus, expression: str) -> None:
    """Wait for any series of what is offered by then: a percentile of what was seen once is not a number yet."""
    deadline = time.monotonic() + SCRAPED_WITHIN_S
    while True:
        asked = filled_in(expression, "|".join(chosen(prometheus)["persona"]), ".*", RATE_INTERVAL)
        if prometheus.series(asked):
            return
        assert time.monotonic() < deadline, f"nobody emits what this asks for: {asked}"
        time.sleep(POLL_S)


def chosen(prometheus: Prometheus) -> dict[str, list[str]]:
    return {name: offered(prometheus, query) for name, query in VARIABLES}


@pytest.mark.timeout(DEMO_TIMEOUT_S + 3 * COMMAND_TIMEOUT_S)
def test_every_expression_finds_what_the_stack_emits(prometheus: Prometheus) -> None:
    roles = {"generation", "kpis", "sink-postgres", "sink-prometheus", "sink-qdrant", "spend"}
    assert roles <= set(chosen(prometheus)["role"])
    for panel, target in TARGETS:
        if "expr" in target and panel["title"] not in EMPTY_ALL_THE_SAME:
            await_series(prometheus, target["expr"])


def test_every_statement_finds_what_the_sink_wrote(stack: Endpoints, prometheus: Prometheus) -> None:
    personas = ",".join(f"'{persona}'" for persona in chosen(prometheus)["persona"])
    now = datetime.now(UTC)
    span = (now - timedelta(days=60), now + timedelta(minutes=1))
    found: dict[str, list[dict[str, Any]]] = {
        title: table(str(stack.postgres), expanded(statement, personas, span)) for title, statement in SQL
    }
    assert {title for title, rows in found.items() if not rows} <= set(EMPTY_ALL_THE_SAME)
    letters = {(row["consumer"], row["topic"]): row["letters"] for row in found["Dead letters by error"]}
    assert letters == {(each, "engagement.events"): 1 for each in ("kpis", "learning", "sink-postgres")}


def test_starts_of_the_workers_are_annotated_with_role_and_version(prometheus: Prometheus) -> None:
    [starts] = [each for each in ANNOTATIONS if "process_start" in each]
    found = prometheus.awaited(starts, bool)
    assert {"kpis", "gateway", "sink-prometheus"} <= {labels["role"] for labels in found}
    assert all(labels["version"] for labels in found)
