"""`threads-agent topics`: the catalogue's topics on the broker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from schemas.catalogue import topic_named
from streams.cli.table import Cell, Column, Table, print_table, wide_option

if TYPE_CHECKING:
    from streams.kafka.cluster import Cluster
    from streams.kafka.topic_retention import RetentionChange
    from streams.kafka.topic_sizes import TopicSize
    from streams.kafka.topics import TopicChange

DRIFT_EXIT_STATUS = 1
JSON_HELP = "Print a list of objects: name, state, partitions, drift, kept_ms, dead_letter_policy."
_COLUMNS = (
    Column("topic", "id"),
    Column("record", "id", minor=2),
    Column("key", "id", minor=3),
    Column("partitions", "number"),
    Column("kept"),
    Column("unreadable", minor=4),
    Column("state"),
    Column("drift", "text"),
)
_SIZES = (Column("size", "number", minor=1), Column("a day", "number", minor=1))


@click.group(epilog="Example: threads-agent topics create")
def topics() -> None:
    """Create the topics of the catalogue, and show how those on the broker differ."""


@topics.command("list", epilog="Example: threads-agent topics list --wide")
@wide_option
@click.option("--json", "as_json", is_flag=True, help=f"{JSON_HELP[:-1]}, with --wide bytes and bytes_a_day.")
@click.pass_context
def list_(ctx: click.Context, *, wide: bool, as_json: bool) -> None:
    """List the topics with their records, keys and drift; exit status 1 when one is missing or drifted.

    With --wide also what each takes on disk, and what the last day added.
    """
    changes, sizes = asyncio.run(_described(with_sizes=wide))
    _show(changes, sizes, wide=wide, as_json=as_json)
    ctx.exit(0 if all(each.state == "as wanted" for each in changes) else DRIFT_EXIT_STATUS)


@topics.command("create", epilog="Example: threads-agent topics create")
@click.option("--yes", "is_meant", is_flag=True, help="Change the retention of topics that are there: Kafka deletes.")
@wide_option
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
@click.pass_context
def create(ctx: click.Context, *, is_meant: bool, wide: bool, as_json: bool) -> None:
    """Create missing topics; those that are there stay as they are, and drift is shown with exit status 1.

    THREADS_RETENTION says how long topics keep records; --yes gives it to topics that are there already, too.
    """
    changes, retentions = asyncio.run(_created(is_meant=is_meant))
    _show(changes, {}, wide=wide, as_json=as_json)
    for each in retentions:
        click.echo(f"changed: {each}" if is_meant else f"not changed, with --yes: {each}", err=True)
    ctx.exit(DRIFT_EXIT_STATUS if any(each.state == "drifted" for each in changes) else 0)


async def _described(*, with_sizes: bool) -> tuple[list[TopicChange], Mapping[str, TopicSize]]:
    from streams.kafka.topic_sizes import topic_sizes
    from streams.kafka.topics import describe_drift

    cluster = await _cluster()
    changes = await describe_drift(cluster)
    return changes, await topic_sizes(cluster, [each.name for each in changes]) if with_sizes else {}


async def _created(*, is_meant: bool) -> tuple[list[TopicChange], list[RetentionChange]]:
    from streams.kafka.topic_retention import change_retention, retention_changes
    from streams.kafka.topics import create_topics, describe_drift

    cluster = await _cluster()
    changes = await create_topics(cluster)
    retentions = await retention_changes(cluster)
    if retentions and is_meant:
        await change_retention(cluster, retentions)
        created = {each.name for each in changes if each.state == "created"}
        changes = [
            before if before.name in created else now
            for before, now in zip(changes, await describe_drift(cluster), strict=True)
        ]
    return changes, retentions


async def _cluster() -> Cluster:
    from streams.kafka.cluster import Cluster
    from streams.settings import current_settings

    return await Cluster.reached(current_settings())


def _show(changes: Sequence[TopicChange], sizes: Mapping[str, TopicSize], *, wide: bool, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([_entry(each, sizes.get(each.name)) for each in changes], indent=2))
        return
    columns = (*_COLUMNS, *_SIZES) if sizes else _COLUMNS
    print_table(Table(columns, [_cells(each, sizes) for each in changes]), wide=wide)


def _entry(change: TopicChange, size: TopicSize | None) -> dict[str, object]:
    entry: dict[str, object] = {
        **asdict(change),
        "kept_ms": _kept_ms(change.name),
        "dead_letter_policy": _policy(change.name),
    }
    return entry if size is None else {**entry, **asdict(size)}


def _cells(change: TopicChange, sizes: Mapping[str, TopicSize]) -> tuple[Cell, ...]:
    from streams.kafka.topic_sizes import size_text

    topic = topic_named(change.name)
    settings = (
        topic.record.schema_name,
        topic.key or "",
        str(change.partitions),
        _kept(change.name),
        _policy(change.name),
    )
    cells = (change.name, *settings, change.state, "; ".join(change.drift))
    if not sizes:
        return cells
    size = sizes.get(change.name)
    return (*cells, *(("", "") if size is None else (size_text(size.bytes), size_text(size.bytes_a_day))))


def _kept(name: str) -> str:
    from streams.kafka.retention import span_text

    return "newest by key" if topic_named(name).compacted else span_text(_kept_ms(name))


def _policy(name: str) -> str:
    """Return what becomes of the topic's records that can't be processed."""
    from streams.policies import Policies
    from streams.settings import current_settings

    return Policies(current_settings().dead_letter_policy).of(name)


def _kept_ms(name: str) -> int:
    from streams.kafka.retention import retention_of
    from streams.settings import current_settings

    return retention_of(topic_named(name), current_settings())
