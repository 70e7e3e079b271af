"""`threads-agent topics`: the catalogue's topics on the broker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

from schemas.catalogue import FOREVER, Topic, topic_named
from streams.endpoints import require_kafka
from streams.kafka.connection import check_broker
from streams.kafka.topics import TopicChange, create_topics, describe_drift
from streams.settings import Settings, current_settings

DRIFT_EXIT_STATUS = 1
JSON_HELP = "Print a list of objects: name, state, partitions, drift."


@click.group(epilog="Example: threads-agent topics create")
def topics() -> None:
    """Create the topics of the catalogue, and show how those on the broker differ."""


@topics.command("list", epilog="Example: threads-agent topics list --json")
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
@click.pass_context
def list_(ctx: click.Context, *, as_json: bool) -> None:
    """List the topics with their records, keys and drift; exit status 1 when one is missing or drifted."""
    changes = asyncio.run(_described(current_settings()))
    _show(changes, as_json=as_json)
    ctx.exit(0 if all(each.state == "as wanted" for each in changes) else DRIFT_EXIT_STATUS)


@topics.command("create", epilog="Example: threads-agent topics create")
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
@click.pass_context
def create(ctx: click.Context, *, as_json: bool) -> None:
    """Create missing topics; those that are there stay as they are, and drift is shown with exit status 1."""
    changes = asyncio.run(_created(current_settings()))
    _show(changes, as_json=as_json)
    ctx.exit(DRIFT_EXIT_STATUS if any(each.state == "drifted" for each in changes) else 0)


async def _described(settings: Settings) -> list[TopicChange]:
    bootstrap = require_kafka(settings)
    await check_broker(bootstrap, settings)
    return await describe_drift(settings, bootstrap)


async def _created(settings: Settings) -> list[TopicChange]:
    bootstrap = require_kafka(settings)
    await check_broker(bootstrap, settings)
    return await create_topics(settings, bootstrap)


def _show(changes: Sequence[TopicChange], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([asdict(each) for each in changes], indent=2))
        return
    table = Table("topic", "record", "key", "partitions", "kept", "state", "drift")
    for each in changes:
        topic = topic_named(each.name)
        row = (each.name, topic.record.schema_name, topic.key or "", str(each.partitions), _kept(topic), each.state)
        table.add_row(*row, "\n".join(each.drift))
    Console().print(table)


def _kept(topic: Topic) -> str:
    if topic.compacted:
        return "newest by key"
    return "forever" if topic.retention_ms == FOREVER else f"{topic.retention_ms / 3_600_000:g} h"
