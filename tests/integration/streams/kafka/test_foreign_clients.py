"""Producers that are not ours: librdkafka with Confluent's serializer, and hand-framed bytes through kcat."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
import pytest
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from streams.kafka.producer import partition_of
from tests.conftest import REPOSITORY, Stack
from tests.faults.conftest import SpawnWorker
from tests.support.faults.told_counts import settled

TOPIC = "engagement.events"
AVSC = REPOSITORY / "schemas" / "avro" / "engagement_event.avsc"
EVENTS = 600
FLUSH_S = 30.0


@pytest.fixture
def registry(stack: Stack) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": stack.registry_url}) as client:
        yield client


def foreign_event(seed: int, number: int) -> dict[str, Any]:
    """Return an event as a client that knows nothing of us writes it: a dict after the published schema."""
    return {
        "event_id": f"foreign-{seed}-{number}",
        "occurred_at": time.time_ns() // 1_000_000,
        "persona_id": f"foreign-{seed}-{number % 12}",
        "post_id": f"post-{number % 5}",
        "kind": "view" if number % 3 else "like",
        "count": 1 + number % 4,
    }


def counted(events: list[dict[str, Any]]) -> dict[str, Counter[str]]:
    """Return the lifetime counts of each persona."""
    truth: dict[str, Counter[str]] = {}
    for event in events:
        counts = truth.setdefault(event["persona_id"], Counter())
        counts[f"{event['kind']}s"] += event["count"]
    return truth


@pytest.mark.timeout(120)
async def test_events_of_librdkafka_with_confluents_serializer_are_counted(
    stack: Stack, registry: SchemaRegistryClient, spawn_worker: SpawnWorker, seed: int
) -> None:
    serialize = AvroSerializer(registry, conf={"auto.register.schemas": False, "use.latest.version": True})
    context = SerializationContext(TOPIC, MessageField.VALUE)
    producer = Producer({"bootstrap.servers": stack.bootstrap})
    events = [foreign_event(seed, number) for number in range(EVENTS)]
    partitions: dict[str, set[int]] = {}

    def delivered(error: object, message: Any) -> None:
        assert error is None
        partitions.setdefault(message.key().decode(), set()).add(message.partition())

    for event in events:
        producer.produce(TOPIC, serialize(event, context), key=event["persona_id"], on_delivery=delivered)
    assert producer.flush(FLUSH_S) == 0
    ours = {persona: {partition_of(persona.encode(), stack.settings.partitions)} for persona in partitions}
    assert partitions != ours, "librdkafka's CRC32 partitioner agrees with murmur2: this shows nothing"
    worker = spawn_worker("kpis", slot="0")
    truth = counted(events)
    assert await settled(stack, truth) == truth, worker.log()[-3_000:]


@pytest.mark.timeout(120)
async def test_hand_framed_bytes_of_kcat_are_counted(
    stack: Stack, registry: SchemaRegistryClient, spawn_worker: SpawnWorker, seed: int, tmp_path: Path
) -> None:
    kcat = shutil.which("kcat")
    if kcat is None:
        pytest.skip("kcat is not on PATH (Debian: apt install kcat)")
    schema_id = registry.get_latest_version(f"{TOPIC}-value").schema_id
    schema = fastavro.parse_schema(json.loads(AVSC.read_text(encoding="utf-8")))
    events = [foreign_event(seed, number) for number in range(3)]
    for event in events:
        framed = io.BytesIO()
        framed.write(b"\x00" + struct.pack(">I", schema_id))
        fastavro.schemaless_writer(framed, schema, event)
        file = tmp_path / event["event_id"]
        file.write_bytes(framed.getvalue())
        command = [kcat, "-P", "-b", stack.bootstrap, "-t", TOPIC, "-k", event["persona_id"], str(file)]
        await asyncio.to_thread(subprocess.run, command, check=True, timeout=FLUSH_S, capture_output=True)
    worker = spawn_worker("kpis", slot="0")
    truth = counted(events)
    assert await settled(stack, truth) == truth, worker.log()[-3_000:]
