"""What a replay would do, shown and not done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from schemas.records import LogPosition
from sinks.replaying.running import Request, begun_of, checked, decoder_of
from streams.cli.table import Column, Table, count, print_table, print_text
from streams.engine.batch import TopicPartition
from streams.replaying.counting import Counted, counted
from streams.replaying.runs import Begun
from streams.settings import Settings

_COLUMNS = (
    Column("topic", "id"),
    Column("partition", "number"),
    Column("first offset", "number"),
    Column("last offset", "number"),
    Column("records", "number"),
)


async def show(settings: Settings, request: Request, *, as_json: bool, wide: bool) -> None:
    """Print what would be read by topic and partition, with some records; nothing is written.

    Raises:
        ThreadsError: the replay could not begin.
    """
    cluster = await checked(settings, request)
    start = await begun_of(cluster, request)
    for note in start.notes:
        click.echo(note, err=True)
    decoder = await decoder_of(cluster)
    found = await counted(cluster, decoder, start.plan, start.keys, lambda text: click.echo(text, err=True))
    if as_json:
        click.echo(json.dumps(_as_object(start, found), indent=2, ensure_ascii=False, default=str))
    else:
        _print(start, found, wide=wide)


def _print(start: Begun, found: Counted, *, wide: bool) -> None:
    total, at_most = sum(found.records.values()), "" if found.exact else "at most "
    click.echo(f"would read {at_most}{total:,} records into {start.run.target}; nothing is written")
    if not found.exact:
        click.echo("offsets are counted, not records: compaction and transactions leave some empty")
    rows = [
        (each.topic, str(each.partition), f"{each.next:,}", f"{each.end - 1:,}", count(_records(found, each)))
        for each in start.plan.positions
    ]
    print_table(Table(_COLUMNS, rows), wide=wide)
    for source, offset, record in found.samples:
        print_text(f"{source.topic}/{source.partition}/{offset}:")
        print_text(f"  {_said(record)}")


def _records(found: Counted, position: LogPosition) -> int:
    return found.records[TopicPartition(position.topic, position.partition)]


def _said(record: Mapping[str, object] | str) -> str:
    return record if isinstance(record, str) else json.dumps(record, ensure_ascii=False, default=str)


def _as_object(start: Begun, found: Counted) -> dict[str, Any]:
    return {
        "selection": start.run.selection,
        "target": start.run.target,
        "goes_on_with": start.run.run_id if start.run.sequence > 1 else None,
        "records": sum(found.records.values()),
        "exact": found.exact,
        "partitions": [
            {
                "topic": each.topic,
                "partition": each.partition,
                "from_offset": each.next,
                "to_offset": each.end,
                "records": _records(found, each),
            }
            for each in start.plan.positions
        ],
        "samples": [
            {"topic": source.topic, "partition": source.partition, "offset": offset, "record": record}
            for source, offset, record in found.samples
        ],
    }
