"""The commands `threads-agent import costs|revenue|posts`, made alike of the kinds of records."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from agents.importing.records.kinds import KINDS, RecordKind
from agents.importing.source_options import source_options

BAD_ROWS_EXIT_STATUS = 1
_PRESETS = ", ".join(sorted(path.stem for path in Path(__file__).with_name("presets").glob("*.yaml")))
_HELP = {
    "costs": "Import what model calls cost: bills and usage exports of a provider, or any table of costs.",
    "revenue": "Import money that was earned: payments of Stripe, or any table of payments and subscriptions.",
    "posts": "Import posts that were published: their text, time and id.",
}
_EXAMPLES = {
    "costs": "threads-agent import costs openai-costs.csv --map persona_id=project_name",
    "revenue": "threads-agent import revenue payments.csv --persona ada --set kind=subscription_payment",
    "posts": "threads-agent import posts posts.csv --persona ada --map text=Caption",
}
_MORE = """

Each row is one record. It counts in the windows of its own time, and raises no alert of now. What is in is not sent
again: a row is known by its id in its source, else by all that it says and how often it was said before. Amounts are US
dollars.

Exit status 1: some rows or files are bad, all others are in. 2: nothing could be imported."""


def commands() -> list[click.Command]:
    """Return a command for each kind of records."""
    return [_command(kind) for kind in KINDS.values()]


def _command(kind: RecordKind) -> click.Command:
    options = (
        click.option("--preset", metavar="NAME", help=f"Columns of a known export: {_PRESETS}."),
        click.option(
            "--map", "maps", multiple=True, metavar="FIELD=COLUMN", help=f"Repeatable. Fields: {', '.join(kind.names)}."
        ),
        click.option("--set", "sets", multiple=True, metavar="FIELD=VALUE", help="What all rows have. Repeatable."),
        click.option("--persona", "persona_id", metavar="ID", help="Persona of all rows: --set persona_id=ID."),
        click.option("--source", metavar="NAME", help="Where the rows come from: ids of another source are others."),
        click.option("--time-format", metavar="FORMAT", help="As of `import engagement`. Default: iso8601."),
        click.option("--timezone", metavar="NAME", help="IANA zone of times without an offset. Default: UTC."),
        click.option("--decimal", type=click.Choice([".", ","]), help="Decimal sign. Default: found from all amounts."),
        click.option("--dry-run", is_flag=True, help="Show what was understood, and send nothing."),
        click.option("--by", "requested_by", metavar="NAME", help="Who asked, for the audit; default: this user."),
        click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON."),
    )

    def run(**said: Any) -> None:  # noqa: ANN401 - click's keywords
        _run(kind, **said)

    command: Any = run
    for option in reversed(options):
        command = option(command)
    made: click.Command = click.command(
        kind.name, help=_HELP[kind.name] + _MORE, epilog=f"Example: {_EXAMPLES[kind.name]}"
    )(source_options(command))
    return made


def _run(
    kind: RecordKind,
    *,
    preset: str | None,
    maps: tuple[str, ...],
    sets: tuple[str, ...],
    persona_id: str | None,
    source: str | None,
    time_format: str | None,
    timezone: str | None,
    decimal: Any,  # noqa: ANN401 - one of the choices
    dry_run: bool,
    requested_by: str | None,
    as_json: bool,
    **sources: Any,  # noqa: ANN401 - of source_options
) -> None:
    from agents.importing.records.layout import RecordRequest
    from agents.importing.records.running import RecordJob, import_records, show_records
    from agents.importing.sources.chosen import Sources

    sets = sets if persona_id is None else (*sets, f"persona_id={persona_id}")
    request = RecordRequest(kind, preset, maps, sets, source, time_format, timezone, decimal)
    job = RecordJob(Sources.said(**sources), request, requested_by)
    if not (show_records(job) if dry_run else import_records(job, as_json=as_json)):
        sys.exit(BAD_ROWS_EXIT_STATUS)
