"""produce, consume, topics, schemas and dead-letters as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from schemas.catalogue import CATALOGUE
from schemas.definitions import definition
from schemas.records import DeadLetter, PersonaErased
from schemas.registries.file_registry import FileRegistry
from schemas.registries.registry import open_registry
from streams.cli.main import main
from streams.embedded.ports import free_port
from streams.engine.stage import Output
from streams.kafka.producer import EventProducer
from tests.conftest import Stack

TIMEOUT_S = 60


def _run(stack: Stack, *arguments: str, stdin: bytes = b"", **settings: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "streams.cli.main", *arguments],
        input=stdin,
        capture_output=True,
        timeout=TIMEOUT_S,
        env={**stack.environment(), **settings},
        check=False,
    )


def _lines(output: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines()]


def test_good_lines_are_sent_and_each_bad_one_gets_one_clear_error(stack: Stack) -> None:
    lines = [
        b'{"event_id": "c-1", "persona_id": "ada", "kind": "lead", "amount_micros": 5, "occurred_at": 1795338000000}',
        b"",
        b'{"persona_id": "ada", "kind": "lead"}',
        b'{"persona_id": "ada", "kind": "lead", "amount": 5}',
        b'{"persona_id": "", "kind": "lead", "amount_micros": 5}',
        b'{"persona_id": "\xff", "kind": "lead", "amount_micros": 5}',
        b'{"persona_id": "ada", "kind": "lead", "amount_micros": 5, "source": "' + b"x" * (10 * 2**20) + b'"}',
        b"nonsense",
        b'{"event_id": "c-2", "persona_id": "ada", "kind": "sale", "amount_micros": 7, "occurred_at": "2026-11-22"}',
    ]
    produced = _run(stack, "produce", "revenue.events", "-", stdin=b"\n".join(lines))
    assert produced.returncode == 1
    assert produced.stdout.decode() == "2 records appended to revenue.events, 6 lines refused\n"
    errors = produced.stderr.decode().splitlines()
    wanted = {3: "lacks amount_micros", 4: "did you mean 'amount_micros'", 5: "persona_id must not be blank"}
    wanted |= {6: "expected UTF-8, got byte 0xff", 7: "at most 1,048,576 bytes", 8: "expected a JSON object"}
    assert [error.partition(":")[0] for error in errors] == [f"line {number}" for number in wanted]
    for error, reason in zip(errors, wanted.values(), strict=True):
        assert reason in error

    there, _ = _records(stack, "revenue.events", partition=0)  # with those of other tests
    consumed = _run(stack, "consume", "revenue.events", "--max", str(there))
    assert consumed.returncode == 0
    records = {record["event_id"]: record for record in _lines(consumed.stdout)}
    assert records["c-1"]["occurred_at"] == "2026-11-22T09:00:00+00:00"
    assert records["c-2"]["kind"] == "sale"


def test_what_foreign_producers_write_is_consumed_and_garbage_is_told_with_its_place(stack: Stack) -> None:
    topic = "cost.events"
    cost = {"event_id": "f-1", "occurred_at": 1795338000000, "persona_id": "ada", "step": "hook", "model": "m"}
    cost |= {"prompt_tokens": 1, "completion_tokens": 2}
    with SchemaRegistryClient({"url": stack.registry_url}) as client:
        serializer = AvroSerializer(client, json.dumps(definition("CostEvent")))
        value = serializer(cost, SerializationContext(topic, MessageField.VALUE))
    producer = Producer({"bootstrap.servers": stack.bootstrap})
    by_hand = value[:5] + value[5:].replace(b"f-1", b"f-2")
    there, end = _records(stack, topic, partition=1)  # of other tests
    for each in (value, b"garbage", by_hand):
        producer.produce(topic, each, key=b"ada", partition=1)
    assert producer.flush(30) == 0
    consumed = _run(stack, "consume", topic, "--from", "beginning", "--max", str(there + 3))
    events = [record["event_id"] for record in _lines(consumed.stdout)]
    assert [each for each in events if each in ("f-1", "f-2")] == ["f-1", "f-2"]
    errors = {(error["topic"], error["partition"], error["offset"]): error for error in _lines(consumed.stderr)}
    assert "magic byte" in str(errors[topic, 1, end + 1]["error"])


def _records(stack: Stack, topic: str, partition: int) -> tuple[int, int]:
    """Return how many records a topic has, and the end of one of its partitions."""
    consumer = Consumer({"bootstrap.servers": stack.bootstrap, "group.id": "nobody"})
    try:
        partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
        bounds = {each: consumer.get_watermark_offsets(TopicPartition(topic, each), timeout=30) for each in partitions}
    finally:
        consumer.close()
    return sum(high - low for low, high in bounds.values()), bounds[partition][1]


async def test_dead_letters_are_listed_with_the_original_bytes(stack: Stack) -> None:
    letter = DeadLetter(
        event_id="d-1",
        occurred_at=datetime(2026, 11, 22, tzinfo=UTC),
        consumer="kpis",
        source_topic="commands.test",
        source_partition=3,
        source_offset=17,
        source_timestamp=datetime(2026, 11, 22, tzinfo=UTC),
        value=b"\xffgarbage",
        error_class="RecordFault",
        reason="expected magic byte 0x00",
    )
    producer = EventProducer(stack.cluster, FileRegistry())
    await producer.append_all([Output("dead.letters", letter)])
    await producer.stop()
    (listed,) = json.loads(_run(stack, "dead-letters", "list", "--json", "--topic", "commands.test").stdout)
    assert listed["value"] == "/2dhcmJhZ2U="
    assert (listed["source_partition"], listed["source_offset"], listed["key"]) == (3, 17, None)
    shown = _run(stack, "dead-letters", "list", "--topic", "commands.test", COLUMNS="200").stdout.decode()
    assert "expected magic byte 0x00" in shown
    assert "no dead letters from nowhere" in _run(stack, "dead-letters", "list", "--topic", "nowhere").stdout.decode()


async def test_dead_letters_are_listed_and_consumed_while_the_registry_is_away(stack: Stack) -> None:
    """Also where a persona was erased: what is hidden is known without the registry."""
    at = datetime(2026, 11, 22, tzinfo=UTC)
    letter = DeadLetter(
        event_id="d-2",
        occurred_at=at,
        consumer="kpis",
        source_topic="away.test",
        source_partition=0,
        source_offset=1,
        source_timestamp=at,
        error_class="RecordFault",
        reason="written before the registry went away",
    )
    erased = PersonaErased(
        event_id="erased away.test", occurred_at=at, persona_id="away.test", run_id="test", requested_by="test"
    )
    producer = EventProducer(stack.cluster, FileRegistry())
    await producer.append_all([Output("dead.letters", letter), Output("personas.erased", erased)])
    await producer.stop()
    away = f"http://127.0.0.1:{free_port()}"
    listed = _run(stack, "dead-letters", "list", "--json", "--topic", "away.test", THREADS_REGISTRY_URL=away)
    assert [each["event_id"] for each in json.loads(listed.stdout)] == ["d-2"]
    assert "does not answer" in listed.stderr.decode()
    there = len(json.loads(_run(stack, "dead-letters", "list", "--json", "--all").stdout))
    consumed = _run(stack, "consume", "dead.letters", "--max", str(there), THREADS_REGISTRY_URL=away)
    assert "d-2" in [each["event_id"] for each in _lines(consumed.stdout)]


def test_topics_are_listed_with_their_drift_as_json(stack: Stack) -> None:
    listed = _run(stack, "topics", "list", "--json")
    assert listed.returncode == 0
    assert [topic["name"] for topic in json.loads(listed.stdout)] == [topic.name for topic in CATALOGUE]
    drifted = _run(stack, "topics", "create", "--json", THREADS_PARTITIONS="3")
    assert drifted.returncode == 1
    states = {topic["name"]: topic["drift"] for topic in json.loads(drifted.stdout)}
    assert states["engagement.events"] == ["partitions: wanted 3, found 4"]


def test_schemas_are_checked_shown_and_registered_with_a_registry(stack: Stack) -> None:
    checked = _run(stack, "schemas", "check")
    assert (checked.returncode, checked.stderr) == (0, b"")
    shown = _run(stack, "schemas", "show", "EngagementEvent")
    assert json.loads(shown.stdout) == definition("EngagementEvent")
    newest = open_registry(None).schema_id("engagement.events-value", definition("EngagementEvent"))
    assert json.loads(_run(stack, "schemas", "show", str(newest)).stdout) == definition("EngagementEvent")
    registered = _run(stack, "schemas", "register", "--url", stack.registry_url)
    assert registered.returncode == 0
    assert f"engagement.events-value: id {newest}" in registered.stdout.decode()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("consume", "engagement.event", "--max", "1"), "did you mean 'engagement.events'"),
        (("produce", "revenue.events", "no such file"), "no such file"),
        (("schemas", "show", "Engagement"), "No schema is named 'Engagement'"),
    ],
)
def test_a_wrong_argument_is_told_in_one_message(stack: Stack, arguments: tuple[str, ...], reason: str) -> None:
    ended = _run(stack, *arguments)
    assert ended.returncode == 2
    assert reason in ended.stderr.decode()
    assert b"Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "arguments",
    [("topics", "list"), ("consume", "personas", "--max", "1"), ("produce", "personas", "-"), ("dead-letters", "list")],
)
def test_a_kafka_that_is_not_there_is_told_in_one_line(stack: Stack, arguments: tuple[str, ...]) -> None:
    address = f"127.0.0.1:{free_port()}"
    ended = _run(stack, *arguments, THREADS_KAFKA=address)
    assert ended.returncode == 2
    (line,) = ended.stderr.decode().splitlines()
    assert f"Kafka at {address} does not answer" in line


@pytest.mark.parametrize(
    "command",
    ["produce", "consume", "topics list", "topics create", "schemas check", "schemas register", "dead-letters list"],
)
def test_every_command_shows_an_example(command: str) -> None:
    shown = CliRunner().invoke(main, [*command.split(), "--help"])
    assert shown.exit_code == 0
    assert "Example: " in shown.stdout
