"""`replay` reads a range of a topic from the real broker into a sink: done twice, it changes nothing."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import psycopg
import pytest
from aiokafka.structs import ConsumerRecord
from click.testing import CliRunner, Result

from schemas.records import DraftDecided, EngagementEvent, PersonaRequest, Quality, Record
from schemas.registries.registry import open_registry
from sinks.postgres.replayed_blocks import BLOCK_OFFSETS
from sinks.qdrant.embedded_store import EmbeddedStore
from sinks.qdrant.sink import collection_of
from streams.cli.main import main
from streams.engine.stage import Output
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import read_range
from streams.kafka.producer import EventProducer
from streams.operations.runs import read_runs
from streams.settings import current_settings
from tests.support.drafts import plain_draft
from tests.support.grafana_server import GrafanaServer
from tests.support.postgres_tables import query
from tests.support.replays import table_checksums

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TIMEOUT_S = 10.0


class Servers(Protocol):
    """The part of the session's stack that is used here."""

    postgres_dsn: str
    bootstrap: str
    cluster: Cluster

    def environment(self) -> dict[str, str]: ...


@pytest.fixture
def dsn(stack: Servers, dsn: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A database and a home of the test's own, as this process's settings."""
    environment = {"THREADS_HOME": str(tmp_path), "THREADS_POSTGRES_DSN": dsn, "THREADS_KAFKA": stack.bootstrap}
    for variable, value in (stack.environment() | environment).items():
        monkeypatch.setenv(variable, value)
    current_settings.cache_clear()
    yield dsn
    current_settings.cache_clear()


def produce(stack: Servers, topic: str, records: Sequence[Record]) -> int:
    """Append records; return the time before the first, epoch milliseconds."""
    since_ms = time.time_ns() // 1_000_000

    async def append() -> None:
        producer = EventProducer(stack.cluster, open_registry(None))
        try:
            await producer.append_all([Output(topic, record) for record in records])
        finally:
            await producer.stop()

    asyncio.run(append())
    return since_ms


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["replay", *arguments], catch_exceptions=False)


def engagement(name: str, count: int) -> EngagementEvent:
    event_id = f"replay-{name}-{uuid4()}"
    return EngagementEvent(event_id=event_id, occurred_at=NOON, persona_id=name, kind="view", count=count)


def test_a_column_topic_is_replayed_into_dropped_tables_with_the_same_rows(stack: Servers, dsn: str) -> None:
    events = [engagement(f"persona-{n % 7}", n) for n in range(500)]
    refused = replace(events[1], event_id=str(uuid4()), source="PostgreSQL holds no \x00")
    since = produce(stack, "engagement.events", [*events, events[0], refused])
    first = run("engagement.events", "--since", str(since), "--into", "postgres")
    assert "502 read, 501 written, 1 refused" in first.stdout
    checksum = "SELECT count(*), sum(count), md5(string_agg(e::text, ',' ORDER BY event_id)) FROM engagement AS e"
    before = query(dsn, checksum)
    assert before[0][:2] == (500, sum(range(500)))
    assert run("engagement.events", "--since", str(since), "--into", "postgres").exit_code == 0
    assert query(dsn, checksum) == before
    with psycopg.connect(dsn) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    run("engagement.events", "--since", str(since), "--into", "postgres")
    assert query(dsn, checksum) == before


def test_every_table_is_the_same_after_a_second_replay_and_the_range_is_not_read_again(
    stack: Servers, dsn: str
) -> None:
    """A block is known by its rows: where one is gone since, it is read again."""
    since = produce(stack, "engagement.events", [engagement("blocks", n) for n in range(2 * BLOCK_OFFSETS)])
    command = ("engagement.events", "--since", str(since), "--into", "postgres")
    assert f"{2 * BLOCK_OFFSETS:,} read" in run(*command).stdout
    before = table_checksums(dsn)
    whole = before["replayed_blocks"][0] * BLOCK_OFFSETS  # the range may begin within a block
    assert whole >= BLOCK_OFFSETS
    again = run(*command)
    assert f"{2 * BLOCK_OFFSETS - whole:,} read" in again.stdout
    assert f"{whole:,} of other keys or there already" in again.stdout
    assert "doing it again" in again.stderr
    assert table_checksums(dsn) == before
    with psycopg.connect(dsn) as connection:
        connection.execute("DELETE FROM engagement WHERE count = %s", (BLOCK_OFFSETS,))
    assert run(*command).exit_code == 0
    assert table_checksums(dsn)["engagement"] == before["engagement"]


def test_a_dry_run_counts_by_partition_with_samples_and_writes_nothing(stack: Servers, dsn: str) -> None:
    persona = f"dry {uuid4()}"
    since = produce(stack, "engagement.events", [engagement(persona, n) for n in range(20)])
    command = ("engagement.events", "--persona", persona, "--since", str(since), "--into", "postgres", "--dry-run")
    runs = len(asyncio.run(read_runs(stack.cluster)))
    assert "would read 20 records into postgres; nothing is written" in run(*command).stdout
    found = json.loads(run(*command, "--json").stdout)
    assert (found["records"], found["exact"], found["goes_on_with"]) == (20, True, None)
    assert sum(each["records"] for each in found["partitions"]) == 20
    assert [each["record"]["count"] for each in found["samples"]] == [0, 1, 2]
    last = json.loads(run(*command, "--json", "--last", "5").stdout)
    assert (last["records"], [each["record"]["count"] for each in last["samples"]]) == (5, [15, 16, 17])
    assert len(asyncio.run(read_runs(stack.cluster))) == runs
    assert query(dsn, "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'") == [(0,)]


def test_records_are_copied_into_a_topic_as_they_are_once_and_told_of(stack: Servers, dsn: str) -> None:
    persona, name = f"copied {uuid4()}", f"copies-{uuid4().hex}"
    since = produce(stack, "engagement.events", [engagement(persona, n) for n in range(5)])
    command = ("engagement.events", "--persona", persona, "--since", str(since), "--into", f"topic:{name}")
    assert "5 written, 0 refused" in run(*command).stdout
    copies, sources = asyncio.run(records_of(stack, name)), asyncio.run(records_of(stack, "engagement.events", since))
    [told] = [each for each in asyncio.run(read_runs(stack.cluster)).values() if each.target == f"topic:{name}"]
    places = {f"{each.topic}/{each.partition}/{each.offset}".encode(): each for each in sources}
    for copy in copies:
        source = places[dict(copy.headers)["replay-of"]]
        assert (copy.key, copy.value, copy.timestamp) == (source.key, source.value, source.timestamp)
        assert dict(copy.headers)["replay-run"] == told.run_id.encode()
    assert len(copies) == 5
    for overlapping in (command, (*command, "--until", "2100-01-01"), (*command, "--last", "1")):
        assert "they would stand there twice; --again does it all the same" in run(*overlapping).stderr
    assert len(asyncio.run(records_of(stack, name))) == 5
    listed = json.loads(CliRunner().invoke(main, ["runs", "list", "--operation", "replay", "--json"]).stdout)
    assert told.run_id in {each["run_id"] for each in listed}
    shown = CliRunner().invoke(main, ["runs", "show", told.run_id[:13]])
    assert "status    done" in shown.stdout
    assert f"into      topic:{name}" in shown.stdout
    assert CliRunner().invoke(main, ["runs", "show", "no-such"]).exit_code == 1


async def records_of(stack: Servers, topic: str, since: int | None = None) -> list[ConsumerRecord]:
    return [each async for _, block in read_range(stack.cluster, topic, since_ms=since) for each in block]


def test_a_range_ends_before_until(stack: Servers, dsn: str) -> None:
    request = PersonaRequest(event_id=str(uuid4()), occurred_at=NOON, persona_id="nova", brief="first")
    since = produce(stack, "persona.requests", [request])
    while (middle := time.time_ns() // 1_000_000) <= since + 1:
        time.sleep(0.001)
    later = PersonaRequest(event_id=str(uuid4()), occurred_at=NOON, persona_id="nova", brief="second")
    produce(stack, "persona.requests", [later])
    until = datetime.fromtimestamp(middle / 1000, UTC).isoformat()
    run("persona.requests", "--since", str(since), "--until", until, "--into", "postgres")
    assert query(dsn, "SELECT brief FROM requests") == [("first",)]


@contextmanager
def grafana_running() -> Iterator[GrafanaServer]:
    """A Grafana in a thread of its own: the command runs event loops in this one."""
    server, loop, ended = GrafanaServer(), asyncio.new_event_loop(), asyncio.Event()
    ready = threading.Event()

    async def serve() -> None:
        async with server.running():
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(TIMEOUT_S)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(TIMEOUT_S)
        loop.close()


def test_a_replay_is_noted_in_grafana_over_the_time_that_it_took(
    stack: Servers, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    since = produce(stack, "engagement.events", [engagement("noted", 1)])
    with grafana_running() as grafana:
        monkeypatch.setenv("THREADS_GRAFANA_URL", grafana.url)
        monkeypatch.setenv("THREADS_GRAFANA_TOKEN", "glsa_right")
        began = time.time_ns() // 1_000_000
        assert run("engagement.events", "--since", str(since), "--into", "postgres").exit_code == 0
        [note] = grafana.annotations
    assert note["tags"] == ["replay"]
    assert note["text"].startswith("replay of engagement.events --since ")
    assert note["text"].endswith("into postgres: 1 read, 1 written, 0 refused")
    assert began <= note["time"] <= note["timeEnd"] <= time.time_ns() // 1_000_000


def test_a_replay_that_can_not_be_noted_is_done_all_the_same_and_says_so(
    stack: Servers, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    since = produce(stack, "engagement.events", [engagement("unnoted", 1)])
    monkeypatch.setenv("THREADS_GRAFANA_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("THREADS_GRAFANA_TOKEN", "glsa_right")
    result = run("engagement.events", "--since", str(since), "--into", "postgres")
    assert result.exit_code == 0
    assert "1 read, 1 written" in result.stdout
    assert "the replay is not noted in Grafana: Grafana at http://127.0.0.1:1 does not answer" in result.stderr


def test_accepted_drafts_are_replayed_into_the_embedded_qdrant(stack: Servers, dsn: str, tmp_path: Path) -> None:
    model = f"model-{uuid4().hex}"
    since = produce(stack, "drafts.accepted", [accepted(model), accepted(model)])
    for _ in range(2):
        assert (
            "2 read, 2 written, 0 refused" in run("drafts.accepted", "--since", str(since), "--into", "qdrant").stdout
        )

    async def count() -> int:
        store = EmbeddedStore(tmp_path / "qdrant")
        await store.open()
        try:
            return await store.count(collection_of(model, 2))
        finally:
            await store.close()

    assert asyncio.run(count()) == 2


def accepted(model: str) -> DraftDecided:
    draft = plain_draft(event_id=str(uuid4()), occurred_at=NOON, draft_id=str(uuid4()))
    return DraftDecided(
        event_id=str(uuid4()),
        occurred_at=NOON,
        persona_id="nova",
        draft=draft,
        quality=Quality(score=1.0, threshold=0.5, passed=True, features=()),
        decision="accepted",
        reasons=(),
        embedding_model=model,
        embedding=(0.6, 0.8),
    )


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("engagement.events", "can't be replayed into itself"),
        ("posts.published", "posts.published holds PostPublished records, engagement.events EngagementEvent"),
    ],
)
def test_a_topic_that_holds_something_else_is_refused(stack: Servers, dsn: str, target: str, message: str) -> None:
    result = run("engagement.events", "--into", f"topic:{target}")
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("persona.requests", "--into", "qdrant"), "qdrant takes nothing from persona.requests"),
        (("persona.requests", "--since", "yesterday", "--into", "postgres"), "expected ISO 8601"),
        (("no.such", "--into", "postgres"), "'no.such' is not one of"),
        (("engagement.events", "--into", "nowhere"), "there is no target 'nowhere'; choose from:"),
        (("engagement.events",), "into what?"),
        (("--into", "postgres"), "Name at least one TOPIC"),
        (("dead.letters", "--persona", "nova", "--into", "postgres"), "dead.letters has no key"),
        (("engagement.events", "--resume", "1"), "the run knows them"),
    ],
)
def test_what_cannot_be_replayed_is_said_at_once(arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
