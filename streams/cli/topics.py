"""`threads-agent topics`: the catalogue's topics on the broker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from schemas.catalogue import FOREVER, Topic, topic_named
from streams.cli.table import Column, Table, print_table, wide_option

if TYPE_CHECKING:
    from streams.kafka.topics import TopicChange
    from streams.settings import Settings

DRIFT_EXIT_STATUS = 1
JSON_HELP = "Print a list of objects: name, state, partitions, drift."
_COLUMNS = (
    Column("topic", "id"),
    Column("record", "id", minor=1),
    Column("key", "id", minor=2),
    Column("partitions", "number"),
    Column("kept"),
    Column("state"),
    Column("drift", "text"),
)


@click.group(epilog="Example: threads-agent topics create")
def topics() -> None:
    """Create the topics of the catalogue, and show how those on the broker differ."""


@topics.command("list", epilog="Example: threads-agent topics list --json")
@wide_option
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
@click.pass_context
def list_(ctx: click.Context, *, wide: bool, as_json: bool) -> None:
    """List the topics with their records, keys and drift; exit status 1 when one is missing or drifted."""
    changes = asyncio.run(_described())
    _show(changes, wide=wide, as_json=as_json)
    ctx.exit(0 if all(each.state == "as wanted" for each in changes) else DRIFT_EXIT_STATUS)


@topics.command("create", epilog="Example: threads-agent topics create")
@wide_option
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
@click.pass_context
def create(ctx: click.Context, *, wide: bool, as_json: bool) -> None:
    """Create missing topics; those that are there stay as they are, and drift is shown with exit status 1."""
    changes = asyncio.run(_created())
    _show(changes, wide=wide, as_json=as_json)
    ctx.exit(DRIFT_EXIT_STATUS if any(each.state == "drifted" for each in changes) else 0)


async def _described() -> list[TopicChange]:
    from streams.kafka.topics import describe_drift

    return await describe_drift(*await _broker())


async def _created() -> list[TopicChange]:
    from streams.kafka.topics import create_topics

    return await create_topics(*await _broker())


async def _broker() -> tuple[Settings, str]:
    """Return the settings and the bootstrap servers, of which one answers."""
    from streams.endpoints import require_kafka
    from streams.kafka.connection import check_broker
    from streams.settings import current_settings

    settings = current_settings()
    bootstrap = require_kafka(settings)
    await check_broker(bootstrap, settings)
    return settings, bootstrap


def _show(changes: Sequence[TopicChange], *, wide: bool, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([asdict(each) for each in changes], indent=2))
        return
    print_table(Table(_COLUMNS, [_cells(each) for each in changes]), wide=wide)


def _cells(change: TopicChange) -> tuple[str, ...]:
    topic = topic_named(change.name)
    settings = (topic.record.schema_name, topic.key or "", str(change.partitions), _kept(topic))
    return (change.name, *settings, change.state, "; ".join(change.drift))


def _kept(topic: Topic) -> str:
    if topic.compacted:
        return "newest by key"
    return "forever" if topic.retention_ms == FOREVER else f"{topic.retention_ms / 3_600_000:g} h"
