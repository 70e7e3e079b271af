"""`threads-agent produce`: JSON lines in, Avro records out."""

from __future__ import annotations

import asyncio
from typing import BinaryIO

import click
from aiokafka.structs import RecordMetadata

from schemas.catalogue import Topic
from schemas.registry import open_registry
from streams.cli.topic_argument import TOPIC
from streams.endpoints import require_kafka, resolve
from streams.errors import RecordFault
from streams.json_records import parse_record
from streams.kafka.connection import check_broker
from streams.kafka.producer import EventProducer
from streams.settings import Settings, current_settings
from streams.validation import validate

CHUNK_RECORDS = 1_000
REFUSED_EXIT_STATUS = 1


class LineSender:
    """Send JSON lines to one topic, and count those sent and those refused."""

    def __init__(self, producer: EventProducer, topic: Topic) -> None:
        self.sent = 0
        self.refused = 0
        self._producer = producer
        self._topic = topic
        self._queued: list[asyncio.Future[RecordMetadata]] = []

    async def send(self, number: int, line: bytes) -> None:
        """Queue a line's record, or tell on stderr why it is refused; blank lines are passed over."""
        if not line.strip():
            return
        try:
            record = parse_record(self._topic.record, line.decode("utf-8"))
            validate(record)
            self._queued.append(await self._producer.send(self._topic.name, record))
        except UnicodeDecodeError as error:
            self._refuse(number, f"expected UTF-8, got byte 0x{line[error.start]:02x} at byte {error.start + 1}")
        except RecordFault as fault:
            self._refuse(number, str(fault))
        if len(self._queued) >= CHUNK_RECORDS:
            await self.settle()

    async def settle(self) -> None:
        """Wait until everything queued is durable."""
        self.sent += len(await self._producer.acknowledged(self._queued))
        self._queued.clear()

    def _refuse(self, number: int, reason: str) -> None:
        self.refused += 1
        click.echo(f"line {number}: {reason}", err=True)


@click.command(
    epilog='Example: echo \'{"persona_id": "ada", "kind": "like"}\' | threads-agent produce engagement.events -'
)
@click.argument("topic", type=TOPIC)
@click.argument("file", type=click.File("rb"))
@click.pass_context
def produce(ctx: click.Context, topic: Topic, file: BinaryIO) -> None:
    """Append the JSON lines of FILE (- is stdin) to TOPIC as Avro records.

    Moments are ISO 8601 or epoch milliseconds; a missing event_id is made up, a missing occurred_at is now. A bad line
    is told on stderr and the others are sent; exit status 1 then.
    """
    lines = asyncio.run(_produce(current_settings(), topic, file))
    refused = f", {lines.refused} lines refused" if lines.refused else ""
    click.echo(f"{lines.sent} records appended to {topic.name}{refused}")
    ctx.exit(REFUSED_EXIT_STATUS if lines.refused else 0)


async def _produce(settings: Settings, topic: Topic, file: BinaryIO) -> LineSender:
    bootstrap = require_kafka(settings)
    await check_broker(bootstrap, settings)
    producer = EventProducer(bootstrap, open_registry(resolve(settings).schemas), settings)
    lines = LineSender(producer, topic)
    await producer.start()
    try:
        number = 0
        while line := await asyncio.to_thread(file.readline):
            number += 1
            await lines.send(number, line)
        await lines.settle()
    finally:
        await producer.stop()
    return lines
