"""`threads-agent dead-letters`: the records that could not be processed, and why."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import click

from schemas.records import DeadLetter
from streams.cli.table import Cell, Column, Table, count, print_table, wide_option
from streams.cli.topic_argument import topic_names
from streams.errors import RecordFault


@click.group("dead-letters", epilog="Example: threads-agent dead-letters list")
def dead_letters() -> None:
    """Look into dead.letters: records that were refused, as they came."""


@dead_letters.command("list", epilog="Example: threads-agent dead-letters list --topic engagement.events --json")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects; key and value are base64.")
@wide_option
@click.option("--topic", "source_topic", shell_complete=topic_names, help="Only records that came from this topic.")
def list_(source_topic: str | None, *, wide: bool, as_json: bool) -> None:
    """List dead letters with where they came from and the reason."""
    letters = asyncio.run(_letters(source_topic))
    if as_json:
        from streams.json_records import render_record

        click.echo(json.dumps([render_record(letter) for letter in letters], indent=2, ensure_ascii=False))
    elif letters:
        print_table(letters_table(letters), wide=wide)
    else:
        click.echo(f"no dead letters{f' from {source_topic}' if source_topic else ''}")


async def _letters(source_topic: str | None) -> list[DeadLetter]:
    from schemas.registries.registry import open_registry
    from streams.endpoints import require_kafka, resolve
    from streams.kafka.connection import check_broker
    from streams.kafka.reader import read_range
    from streams.kafka.record_size import DEAD_LETTERS
    from streams.letter_reader import LetterReader
    from streams.schema_faults import schema_faults
    from streams.settings import current_settings

    settings = current_settings()
    bootstrap = require_kafka(settings)
    await check_broker(bootstrap, settings)
    reader = LetterReader(open_registry(resolve(settings).schemas))
    letters = []
    async for source, records in read_range(settings, bootstrap, DEAD_LETTERS):
        for record in records:
            try:
                with schema_faults():
                    letter = reader.decode(record.value)
            except RecordFault as fault:
                click.echo(f"partition {source.partition} offset {record.offset}: no dead letter: {fault}", err=True)
                continue
            if source_topic in (None, letter.source_topic):
                letters.append(letter)
    return letters


_COLUMNS = (
    Column("set aside (UTC)", minor=2),
    Column("by", "id"),
    Column("topic", "id"),
    Column("partition", "number"),
    Column("offset", "id"),
    Column("bytes", "number", minor=3),
    Column("fault", "id", minor=1),
    Column("reason", "text"),
)


def letters_table(letters: Sequence[DeadLetter]) -> Table:
    """Return the table that `dead-letters list` prints."""
    return Table(_COLUMNS, [_cells(letter) for letter in letters])


def _cells(letter: DeadLetter) -> Sequence[Cell]:
    return (
        f"{letter.occurred_at:%Y-%m-%d %H:%M:%S}",
        letter.consumer,
        letter.source_topic,
        str(letter.source_partition),
        str(letter.source_offset),
        "none" if letter.value is None else count(len(letter.value)),
        letter.error_class,
        letter.reason,
    )
