"""Fill a topic and a file with the workload: `python -m agents.bench.load`, run apart so that its memory is its own."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Iterable
from pathlib import Path

import click
import fastavro
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.producer.message_accumulator import BatchBuilder

from agents.bench.answers import write_answer
from agents.bench.avro_values import Chunk, encode
from agents.bench.workload import Workload, WorkloadSize, expected_answer, generate, persona_name
from schemas.avro_primitives import encoded_long
from schemas.catalogue import topic_named
from schemas.definitions import definition
from schemas.known_writers import KnownWriters
from schemas.records import EngagementEvent
from schemas.registry import open_registry
from schemas.wire_format import header

BATCH_BYTES = 512 * 1024
REQUEST_TIMEOUT_MS = 60_000
SYNC_MARKER = b"threads-bench-1."
FILE_NAME = "events.avro"


@click.command()
@click.option("--bootstrap", required=True)
@click.option("--topic", required=True)
@click.option("--partitions", type=int, required=True)
@click.option("--folder", type=click.Path(path_type=Path), required=True)
@click.option("--events", type=int, required=True)
@click.option("--personas", type=int, required=True)
@click.option("--posts", type=int, required=True)
@click.option("--seed", type=int, required=True)
@click.option("--end-ms", type=int, required=True)
def main(
    *,
    bootstrap: str,
    topic: str,
    partitions: int,
    folder: Path,
    events: int,
    personas: int,
    posts: int,
    seed: int,
    end_ms: int,
) -> None:
    """Generate the events, send them, and write the file and the expected answer into the folder."""
    size = WorkloadSize(events=events, personas=personas, posts=posts, seed=seed, end_ms=end_ms)
    workload = generate(size)
    write_answer(folder, expected_answer(workload))
    write_container(folder / FILE_NAME, encode(workload))
    began = time.monotonic()
    asyncio.run(fill(bootstrap, topic, partitions, workload))
    click.echo(f"{events / (time.monotonic() - began):.0f} events/s sent")


def write_container(path: Path, chunks: Iterable[Chunk]) -> None:
    """Write the events as one Avro container file, a block a chunk.

    The schema goes without its defaults: only readers of older data need them, and Polars refuses a file with them.
    """
    schema = dict(definition(EngagementEvent.schema_name))
    schema["fields"] = [{key: one[key] for key in ("name", "type")} for one in schema["fields"]]
    head = io.BytesIO()
    fastavro.writer(head, fastavro.parse_schema(schema), [], sync_marker=SYNC_MARKER)
    with path.open("wb") as file:
        file.write(head.getvalue())
        for chunk in chunks:
            block = b"".join(chunk.bodies)
            file.write(encoded_long(len(chunk.bodies)) + encoded_long(len(block)) + block + SYNC_MARKER)


async def fill(bootstrap: str, topic: str, partitions: int, workload: Workload) -> None:
    """Make the topic and send the events."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=REQUEST_TIMEOUT_MS)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=partitions, replication_factor=1)])
    finally:
        await admin.close()
    await send(bootstrap, topic, partitions, workload)


async def send(bootstrap: str, topic: str, partitions: int, workload: Workload) -> None:
    """Send the events in order, framed and keyed by persona; one persona's events go to one partition."""
    writers = KnownWriters(open_registry(None))
    frame = header(writers.written_id(topic_named("engagement.events")))
    keys = [persona_name(index).encode() for index in range(int(workload.persona.max()) + 1)]
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", max_batch_size=BATCH_BYTES, request_timeout_ms=REQUEST_TIMEOUT_MS
    )
    await producer.start()
    try:
        open_batches = [producer.create_batch() for _ in range(partitions)]
        for chunk in encode(workload):
            for body, persona in zip(chunk.bodies, chunk.personas.tolist(), strict=True):
                partition = persona % partitions
                value = frame + body
                if open_batches[partition].append(timestamp=None, key=keys[persona], value=value) is None:
                    await _send_batch(producer, open_batches[partition], topic, partition)
                    open_batches[partition] = producer.create_batch()
                    open_batches[partition].append(timestamp=None, key=keys[persona], value=value)
        for partition, batch in enumerate(open_batches):
            if batch.record_count():
                await _send_batch(producer, batch, topic, partition)
        await producer.flush()
    finally:
        await producer.stop()


async def _send_batch(producer: AIOKafkaProducer, batch: BatchBuilder, topic: str, partition: int) -> None:
    acknowledged = await producer.send_batch(batch, topic, partition=partition)
    await acknowledged


if __name__ == "__main__":
    main()
