"""The commands `threads-agent personas apply`, `personas remove` and `personas list`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.cli.table import Column, Table, print_table, wide_option

if TYPE_CHECKING:
    from agents.personas.directory import AppliedPersona


@click.group(epilog="Example: threads-agent personas apply my-personas.yaml")
def personas() -> None:
    """Apply personas from YAML, remove them, and list those in force."""


@personas.command(epilog="Example: threads-agent personas apply my-personas.yaml")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
def apply(*, files: tuple[Path, ...]) -> None:
    """Put the personas of FILES in force (default: the samples); unchanged ones are left alone."""
    from agents.personas.persona_file import SAMPLES, read_personas
    from agents.personas.persona_topic import apply_personas
    from streams.settings import current_settings
    from streams.wall_clock import utc_now

    found = read_personas(files or SAMPLES)
    changed = {each.persona_id for each in asyncio.run(apply_personas(current_settings(), found, utc_now()))}
    for persona in found:
        state = "applied" if persona.persona_id in changed else "unchanged"
        click.echo(f"{state:<10} {persona.persona_id} {persona.version()}")
    click.echo(f"{len(changed)} applied, {len(found) - len(changed)} unchanged")


@personas.command(epilog="Example: threads-agent personas remove night-shift-nora")
@click.argument("persona_ids", metavar="ID...", nargs=-1, required=True)
def remove(*, persona_ids: tuple[str, ...]) -> None:
    """Put the personas of these IDs out of force; later requests for them are dead-lettered as unknown."""
    from agents.personas.persona_topic import remove_personas
    from streams.settings import current_settings

    asyncio.run(remove_personas(current_settings(), persona_ids))
    for persona_id in persona_ids:
        click.echo(f"removed    {persona_id}")


@personas.command("list", epilog="Example: threads-agent personas list --json")
@wide_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_personas(*, wide: bool, as_json: bool) -> None:
    """List the personas in force, as the topic has them."""
    from agents.personas.persona_topic import read_directory
    from streams.settings import current_settings

    known = asyncio.run(read_directory(current_settings())).known()
    if as_json:
        click.echo(json.dumps([_as_object(each) for each in known], ensure_ascii=False, indent=2))
    elif known:
        print_table(personas_table(known), wide=wide)
    else:
        click.echo("no personas yet: apply some with `threads-agent personas apply`")


def _as_object(applied: AppliedPersona) -> dict[str, object]:
    return {"version": applied.version, **applied.persona.model_dump(mode="json")}


_COLUMNS = (
    Column("persona", "id"),
    Column("name", "text"),
    Column("languages", "text"),
    Column("topics", "text", minor=1),
    Column("version", "id", minor=2),
)


def personas_table(known: Sequence[AppliedPersona]) -> Table:
    """Return the table that `personas list` prints."""
    rows = [
        (each.persona_id, each.name, ", ".join(each.languages), ", ".join(each.topics), applied.version)
        for applied in known
        for each in [applied.persona]
    ]
    return Table(_COLUMNS, rows)
