"""Kafka and PostgreSQL of the embedded stack answer real clients."""

from __future__ import annotations

import json
import os
import tempfile
import time
import urllib.request
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from openai import OpenAI
from prometheus_client import CollectorRegistry, Gauge, start_http_server

from streams.embedded.ports import free_port
from streams.embedded.postgres import PostgresServer
from streams.embedded.process import stop
from streams.embedded.prometheus import PrometheusServer, Target
from streams.embedded.server import run_server
from tests.conftest import Stack


async def test_a_record_sent_to_the_embedded_broker_comes_back(stack: Stack) -> None:
    topic = "embedded.echo"
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=stack.bootstrap, acks="all", enable_idempotence=True) as producer:
        await producer.send_and_wait(topic, b"value", key=b"key")
    async with AIOKafkaConsumer(bootstrap_servers=stack.bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        record = await consumer.getone()
    assert (record.key, record.value) == (b"key", b"value")


def test_the_embedded_database_is_utf8_in_utc_and_closed_without_the_password(stack: Stack) -> None:
    with psycopg.connect(stack.postgres_dsn) as connection:
        row = connection.execute("select current_setting('TimeZone'), current_setting('server_encoding')").fetchone()
    assert row == ("UTC", "UTF8")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(stack.postgres_dsn, password="wrong")


def test_the_offline_model_answers_the_openai_client_with_usage_figures(llm: str) -> None:
    client = OpenAI(base_url=llm, api_key="none", max_retries=0, timeout=60)
    chat = client.chat.completions.create(
        model="offline", messages=[{"role": "user", "content": "Say hello."}], max_tokens=8
    )
    plain = client.completions.create(model="offline", prompt="Coffee is", max_tokens=4)
    client.close()
    assert chat.choices[0].message.content
    assert chat.model.startswith("SmolLM2-135M-Instruct")
    assert chat.usage is not None
    assert chat.usage.total_tokens == chat.usage.prompt_tokens + chat.usage.completion_tokens
    assert plain.usage is not None
    assert plain.usage.completion_tokens == 4


def test_prometheus_follows_a_metrics_endpoint_that_moves(stack: Stack, prometheus_program: Path) -> None:
    server = PrometheusServer(prometheus_program, stack.home / "prometheus", free_port())
    stack.start(server)
    for job in ("first", "second"):
        registry = CollectorRegistry()
        Gauge("embedded_probe", "Which endpoint is scraped.", ["job_name"], registry=registry).labels(job).set(1)
        exporter, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
        server.scrape([Target(f"http://127.0.0.1:{exporter.server_port}/metrics")])
        assert has_series(server.address, f'embedded_probe{{job_name="{job}"}}')
        exporter.shutdown()
        exporter.server_close()
        thread.join()


def has_series(prometheus_url: str, query: str, deadline_s: float = 30) -> bool:
    """Tell whether a query gives a result before the deadline."""
    until = time.monotonic() + deadline_s
    while time.monotonic() < until:
        with urllib.request.urlopen(f"{prometheus_url}/api/v1/query?query={quote(query)}", timeout=5) as response:
            if json.load(response)["data"]["result"]:
                return True
        time.sleep(0.2)
    return False


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts PostgreSQL under another account")
def test_root_runs_postgres_although_its_home_is_closed_to_other_accounts(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as reachable:
        Path(reachable).chmod(0o755)
        closed = tmp_path / "closed home"
        closed.mkdir(mode=0o700)
        server = PostgresServer(closed / "postgres", free_port(), shared=Path(reachable) / "shared")
        process = run_server(server, closed / "logs")
        try:
            with psycopg.connect(server.dsn) as connection:
                assert connection.execute("select 1").fetchone() == (1,)
        finally:
            assert stop(process, server.launch().stop_signal) == 0
