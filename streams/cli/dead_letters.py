"""`threads-agent dead-letters`: the records that could not be processed, and why."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table

from schemas.records import DeadLetter
from schemas.registry import open_registry
from streams.endpoints import require_kafka, resolve
from streams.errors import RecordFault
from streams.json_records import render_record
from streams.kafka.connection import check_broker
from streams.kafka.reader import read_range
from streams.kafka.record_size import DEAD_LETTERS
from streams.letter_reader import LetterReader
from streams.schema_faults import schema_faults
from streams.settings import Settings, current_settings


@click.group("dead-letters", epilog="Example: threads-agent dead-letters list")
def dead_letters() -> None:
    """Look into dead.letters: records that were refused, as they came."""


@dead_letters.command("list", epilog="Example: threads-agent dead-letters list --topic engagement.events --json")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects; key and value are base64.")
@click.option("--topic", "source_topic", help="Only records that came from this topic.")
def list_(source_topic: str | None, *, as_json: bool) -> None:
    """List dead letters with where they came from and the reason."""
    letters = asyncio.run(_letters(current_settings(), source_topic))
    if as_json:
        click.echo(json.dumps([render_record(letter) for letter in letters], indent=2, ensure_ascii=False))
    elif letters:
        Console().print(_table(letters))
    else:
        click.echo(f"no dead letters{f' from {source_topic}' if source_topic else ''}")


async def _letters(settings: Settings, source_topic: str | None) -> list[DeadLetter]:
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


def _table(letters: Sequence[DeadLetter]) -> Table:
    table = Table("set aside", "by", "topic", "partition", "offset", "bytes", "fault", "reason")
    for letter in letters:
        place = (letter.source_topic, str(letter.source_partition), str(letter.source_offset))
        size = "none" if letter.value is None else f"{len(letter.value):,}"
        when = f"{letter.occurred_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(when, letter.consumer, *place, size, letter.error_class, letter.reason)
    return table
