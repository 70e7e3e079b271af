"""Fill a topic with the events of the job; run as a module of its own, so that its memory is its own."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import fastavro
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.codec.avro_primitives import encoded_long
from schemas.definitions import definition
from schemas.records import EngagementEvent
from tests.benchmarks.answers import Answer, ExpectedAnswer, write_answer
from tests.benchmarks.running.avro_values import Chunk, encode
from tests.benchmarks.running.topic_writer import REQUEST_TIMEOUT_MS, TopicWriter
from tests.benchmarks.running.workload import WorkloadSize, segments

SYNC_MARKER = b"threads-bench-1."
FILE_NAME = "events.avro"

WriteChunk = Callable[[Chunk], None]


@click.command()
@click.option("--bootstrap", required=True)
@click.option("--topic", required=True)
@click.option("--partitions", type=int, required=True)
@click.option("--folder", type=click.Path(path_type=Path), required=True)
@click.option("--file/--no-file", default=False, help="Write the events as an Avro container, too.")
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
    file: bool,
    events: int,
    personas: int,
    posts: int,
    seed: int,
    end_ms: int,
) -> None:
    """Generate the events and send them; write the expected answer into the folder, and the file where it is wanted."""
    size = WorkloadSize(events=events, personas=personas, posts=posts, seed=seed, end_ms=end_ms)
    if file:
        with container(folder / FILE_NAME) as write:
            answer = asyncio.run(_fill(bootstrap, topic, partitions, size, write))
    else:
        answer = asyncio.run(_fill(bootstrap, topic, partitions, size, None))
    write_answer(folder, answer)


async def _fill(bootstrap: str, topic: str, partitions: int, size: WorkloadSize, write: WriteChunk | None) -> Answer:
    await _make_topic(bootstrap, topic, partitions)
    expected = ExpectedAnswer()
    async with TopicWriter(bootstrap, topic, partitions) as writer:
        for segment in segments(size):
            expected.add(segment)
            for chunk in encode(segment):
                if write is not None:
                    write(chunk)
                await writer.write(chunk)
    return expected.answer()


async def _make_topic(bootstrap: str, topic: str, partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=REQUEST_TIMEOUT_MS)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=partitions, replication_factor=1)])
    finally:
        await admin.close()


@contextmanager
def container(path: Path) -> Iterator[WriteChunk]:
    """Open an Avro container file for chunks of events, a block a chunk.

    The schema goes without its defaults: only readers of older data need them, and Polars refuses a file with them.
    """
    schema = dict(definition(EngagementEvent.schema_name))
    schema["fields"] = [{key: one[key] for key in ("name", "type")} for one in schema["fields"]]
    head = io.BytesIO()
    fastavro.writer(head, fastavro.parse_schema(schema), [], sync_marker=SYNC_MARKER)
    with path.open("wb") as file:
        file.write(head.getvalue())

        def write(chunk: Chunk) -> None:
            block = b"".join(chunk.bodies)
            file.write(encoded_long(len(chunk.bodies)) + encoded_long(len(block)) + block + SYNC_MARKER)

        yield write


if __name__ == "__main__":
    main()
