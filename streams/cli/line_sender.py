"""JSON lines of a person or a program, sent to a topic as records."""

from __future__ import annotations

import asyncio

import click
from aiokafka.structs import RecordMetadata

from schemas.catalogue import Topic
from streams.errors import RecordFault
from streams.json_records import parse_record
from streams.kafka.producer import EventProducer
from streams.validation import validate

CHUNK_RECORDS = 1_000


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
