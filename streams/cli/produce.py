"""`threads-agent produce`: JSON lines in, Avro records out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, BinaryIO

import click

from streams.cli.completion import TOPIC

if TYPE_CHECKING:
    from schemas.catalogue import Topic
    from streams.cli.line_sender import LineSender

REFUSED_EXIT_STATUS = 1


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
    lines = asyncio.run(_produce(topic, file))
    refused = f", {lines.refused} lines refused" if lines.refused else ""
    click.echo(f"{lines.sent} records appended to {topic.name}{refused}")
    ctx.exit(REFUSED_EXIT_STATUS if lines.refused else 0)


async def _produce(topic: Topic, file: BinaryIO) -> LineSender:
    from streams.cli.line_sender import LineSender
    from streams.kafka.cluster import Cluster
    from streams.kafka.producer import EventProducer
    from streams.settings import current_settings

    cluster = await Cluster.reached(current_settings())
    async with EventProducer(cluster, cluster.open_registry()) as producer:
        lines = LineSender(producer, topic)
        await producer.start()
        number = 0
        while line := await asyncio.to_thread(file.readline):
            number += 1
            await lines.send(number, line)
        await lines.settle()
    return lines
