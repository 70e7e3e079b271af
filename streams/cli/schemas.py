"""`threads-agent schemas`: check the working schemas, register new versions, show what is registered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from schemas.catalogue import CATALOGUE
from streams.cli.completion import topic_names
from streams.cli.table import Column, Table, print_table, wide_option
from streams.errors import SettingsError

if TYPE_CHECKING:
    from schemas.changes import SubjectChange
    from schemas.definitions import AvroSchema
    from schemas.registries.file_registry import FileRegistry

REFUSED_EXIT_STATUS = 1


@click.group(epilog="Example: threads-agent schemas check")
def schemas() -> None:
    """Check, register and show the Avro schemas of the topics."""


@schemas.command("check", epilog="Example: threads-agent schemas check")
@click.pass_context
def check(ctx: click.Context) -> None:
    """Compare schemas/avro with the newest registered versions; exit status 1 when a change can't read old records."""
    from schemas.changes import compare
    from schemas.definitions import definitions
    from schemas.registries.file_registry import FileRegistry
    from streams.validation import schema_faults

    with schema_faults():
        changes = compare(FileRegistry(), definitions(), CATALOGUE)
    for each in changes:
        _say(each)
    refused = sum(each.state == "refused" for each in changes)
    fresh = sum(each.state in ("new", "compatible") for each in changes)
    click.echo(f"{len(changes)} subjects: {refused} refused, {fresh} to register, the others unchanged")
    if fresh and not refused:
        click.echo("run `threads-agent schemas register` and commit what it writes")
    ctx.exit(REFUSED_EXIT_STATUS if refused else 0)


def _say(change: SubjectChange) -> None:
    if change.state == "unchanged":
        return
    click.echo(f"{change.subject}: {change.state}")
    for line in change.changes:
        click.echo(f"  change: {line}")
    for line in change.refusals:
        click.echo(f"  refused: {line}", err=True)


@schemas.command("register", epilog="Example: threads-agent schemas register --url http://127.0.0.1:8081")
@click.option("--url", help="Confluent-compatible registry to register with; without it, the committed files.")
@click.pass_context
def register(ctx: click.Context, url: str | None) -> None:
    """Register the working schema of every topic; one that is registered keeps its id."""
    from schemas.definitions import definition
    from schemas.errors import IncompatibleSchema
    from schemas.registries.file_registry import FileRegistry
    from schemas.registries.http_registry import HttpRegistry
    from streams.validation import schema_faults

    registry = HttpRegistry(url) if url else FileRegistry()
    refused = False
    for topic in CATALOGUE:
        with schema_faults():
            schema = definition(topic.record.schema_name)
            try:
                click.echo(f"{topic.subject}: id {registry.register(topic.subject, schema)}")
            except IncompatibleSchema as error:
                refused = True
                click.echo(str(error), err=True)
            except OSError as error:
                message = f"The schema files can't be written: {error}; register from a checkout, or with --url"
                raise SettingsError(message) from error
    ctx.exit(REFUSED_EXIT_STATUS if refused else 0)


@schemas.command("show", epilog="Example: threads-agent schemas show EngagementEvent")
@click.argument("name", required=False, shell_complete=topic_names)
@wide_option
def show(name: str | None, *, wide: bool) -> None:
    """List subjects with the ids of their versions, or print one schema: by record name, topic, subject or id."""
    from schemas.registries.file_registry import FileRegistry
    from streams.validation import schema_faults

    registry = FileRegistry()
    if name is None:
        print_table(_listed(registry), wide=wide)
        return
    with schema_faults():
        click.echo(json.dumps(_named(registry, name), indent=2, ensure_ascii=False))


def _listed(registry: FileRegistry) -> Table:
    from schemas.definitions import canonical_text, definition

    rows = []
    for topic in CATALOGUE:
        ids = registry.ids(topic.subject)
        working = canonical_text(definition(topic.record.schema_name))
        newest = ids and canonical_text(registry.writer_schema(ids[-1]).schema) == working
        state = f"id {ids[-1]}" if newest else "not registered"
        rows.append((topic.subject, topic.record.schema_name, ", ".join(map(str, ids)), state))
    columns = (
        Column("subject", "id"),
        Column("record", "id", minor=1),
        Column("ids, oldest first", "text"),
        Column("working schema"),
    )
    return Table(columns, rows)


def _named(registry: FileRegistry, name: str) -> AvroSchema:
    from schemas.definitions import definition

    if name.isdigit():
        schema: AvroSchema = registry.writer_schema(int(name)).schema
        return schema
    for topic in CATALOGUE:
        if name in (topic.name, topic.subject):
            return definition(topic.record.schema_name)
    return definition(name)
