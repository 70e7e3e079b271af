"""The command `threads-agent import engagement`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from agents.importing.records.commands import commands as record_commands
from agents.importing.source_options import source_options

if TYPE_CHECKING:
    from agents.importing.fields import Counts, Falls

BAD_ROWS_EXIT_STATUS = 1
PRESETS = sorted(path.stem for path in Path(__file__).with_name("presets").glob("*.yaml"))
# What fields.py and times.py define, in words: help must not wait for them.
_FIELDS = (
    "Repeatable. Fields: post_id, persona_id, occurred_at, as_of, text, views, likes, replies, reposts, quotes, "
    "shares, clicks, follows, follower_change."
)
_TIME_FORMATS = (
    "month-name, spreadsheet, iso8601, epoch, iso-week, monday-week, or a strptime format. Default: iso8601. "
    "An epoch is in milliseconds from 1e11 on, else in seconds."
)
_COUNTS = "Whether counts are totals so far (their difference to what is known is sent) or new in each row."
_FALLS = "What a total below the known one is where dates can't tell: a correction, or an older export."


@click.group("import")
def import_group() -> None:
    """Import real data into the topics, once however often it is tried."""


@import_group.command(
    epilog="Example: threads-agent import engagement export.csv --map post_id=id --map views=impressions "
    "--map occurred_at=day --persona ada"
)
@source_options
@click.option("--preset", metavar="NAME", help=f"Columns of a known export: {', '.join(PRESETS)}.")
@click.option("--map", "maps", multiple=True, metavar="FIELD=COLUMN", help=_FIELDS)
@click.option("--persona", "persona_id", metavar="ID", help="Persona of the whole file.")
@click.option("--counts", type=click.Choice(["totals", "new"]), help=_COUNTS)
@click.option("--as-of", metavar="TIME", help="When the file was exported, ISO 8601.")
@click.option("--falls", type=click.Choice(["correct", "keep"]), help=_FALLS)
@click.option("--source", metavar="NAME", help="Where counts come from: a post of another source is another.")
@click.option("--time-format", metavar="FORMAT", help=_TIME_FORMATS)
@click.option("--timezone", metavar="NAME", help="IANA zone of times without an offset. Default: the preset's, or UTC.")
@click.option("--year", type=click.IntRange(1970, 9999), help="Year of the export, for dates without one.")
@click.option("--decimal", type=click.Choice([".", ","]), help="Decimal sign of the counts.")
@click.option("--thousands", metavar="SIGN", help="Sign between thousands: . , space apostrophe none.")
@click.option("--trust-ids", is_flag=True, help="Take ids that look as if a spreadsheet had rounded them.")
@click.option("--shift-to-now", is_flag=True, help="Move all times so that the newest event happens now.")
@click.option("--dry-run", is_flag=True, help="Show what was understood, and send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def engagement(
    *,
    preset: str | None,
    maps: tuple[str, ...],
    persona_id: str | None,
    counts: Counts | None,
    as_of: str | None,
    falls: Falls | None,
    source: str | None,
    time_format: str | None,
    timezone: str | None,
    year: int | None,
    decimal: Literal[".", ","] | None,
    thousands: str | None,
    trust_ids: bool,
    shift_to_now: bool,
    dry_run: bool,
    as_json: bool,
    **sources: Any,  # noqa: ANN401 - of source_options
) -> None:
    """Import counts of engagement from CSV, JSON lines, Parquet and Avro files and SQL queries.

    Each row gives one event for every kind that it counts, with the row's time.
    Files are told by their content, packed with gzip or zstd or not, and known exports by their header; for others name
    the columns with --map. A count is known by its source, post, kind and time, whichever file it stands in: what is in
    is not sent again, and an import that broke off goes on.

    Exit status 1: some rows or files are bad, all others are in. 2: nothing could be imported.
    """
    from agents.importing.cells.numbers import said_format
    from agents.importing.presets import Request, Said
    from agents.importing.running import Job, import_all, show
    from agents.importing.sources.chosen import Sources

    said = Said(
        counts=counts,
        falls=falls,
        source=source,
        numbers=said_format(decimal, thousands),
        timezone=timezone,
        year=year,
        as_of=as_of,
        trust_ids=trust_ids,
    )
    request = Request(preset, maps, persona_id, time_format, said)
    job = Job(Sources.said(**sources), request, shift_to_now=shift_to_now)
    if not (show(job) if dry_run else import_all(job, as_json=as_json)):
        sys.exit(BAD_ROWS_EXIT_STATUS)


for _command in record_commands():
    import_group.add_command(_command)
