"""`threads-agent consume`: Avro records in, JSON lines out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING, Literal

import click

from streams.cli.completion import TOPIC
from streams.errors import RecordFault

if TYPE_CHECKING:
    from aiokafka.structs import ConsumerRecord

    from schemas.catalogue import Topic
    from schemas.records import Record
    from schemas.registries.registry import SchemaRegistry

    Decode = Callable[[bytes | None], Record]


@click.command(epilog="Example: threads-agent consume kpi.updates --from latest --max 10")
@click.argument("topic", type=TOPIC)
@click.option(
    "--from",
    "start",
    type=click.Choice(["beginning", "latest"]),
    default="beginning",
    show_default=True,
    help="Where to start; with `latest` only what comes from now on.",
)
@click.option("--max", "most", type=click.IntRange(min=1), help="End after this many records, bad ones included.")
def consume(topic: Topic, start: Literal["beginning", "latest"], most: int | None) -> None:
    """Print the records of TOPIC as JSON lines, and follow it until Ctrl-C or --max records.

    Bytes are base64, moments ISO 8601. A record that can't be decoded is an object with `error` on stderr.
    """
    with suppress(KeyboardInterrupt):
        asyncio.run(_consume(topic, start, most))


async def _consume(topic: Topic, start: Literal["beginning", "latest"], most: int | None) -> None:
    from streams.kafka.cluster import Cluster
    from streams.kafka.log_reader import follow
    from streams.settings import current_settings

    cluster = await Cluster.reached(current_settings())
    decode = _decoder(topic, cluster.open_registry())
    seen = 0
    async with aclosing(follow(cluster, topic.name, start)) as blocks:
        async for _, records in blocks:
            for record in records if most is None else records[: most - seen]:
                _print(decode, topic, record)
            seen += len(records)
            if most is not None and seen >= most:
                return


def _decoder(topic: Topic, registry: SchemaRegistry) -> Decode:
    """Return what decodes values of the topic: dead letters are read without the registry too."""
    from schemas.codec.rows import RowCodec
    from streams.engine.dead_letters import LetterReader
    from streams.kafka.record_size import DEAD_LETTERS

    return LetterReader(registry).decode if topic.name == DEAD_LETTERS else partial(RowCodec(registry).decode, topic)


def _print(decode: Decode, topic: Topic, record: ConsumerRecord) -> None:
    from streams.json_records import render_record
    from streams.validation import schema_faults

    try:
        with schema_faults():
            decoded = decode(record.value)
    except RecordFault as fault:
        place = {"topic": topic.name, "partition": record.partition, "offset": record.offset}
        click.echo(json.dumps({"error": str(fault), **place}), err=True)
    else:
        click.echo(json.dumps(render_record(decoded), ensure_ascii=False))
