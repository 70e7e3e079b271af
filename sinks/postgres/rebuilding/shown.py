"""What `rebuild postgres` prints: versions, plans, and how the tables compare."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from sinks.postgres.rebuilding.comparing import KINDS, TableComparison
from sinks.postgres.rebuilding.planning import Plan
from sinks.postgres.rebuilding.rebuild import Outcome
from sinks.postgres.rebuilding.versions import Version
from streams.cli.table import Column, Table, print_table, print_text

_TEXT_LENGTH = 60


def size(count: int) -> str:
    """Return bytes as MB."""
    return f"{count / 1_000_000:,.1f} MB"


def print_versions(found: Sequence[Version], *, as_json: bool, wide: bool) -> None:
    """Print the versions besides the live one."""
    if as_json:
        rows = [{"version": each.name, "told": each.told, "size_bytes": each.size_bytes} for each in found]
        click.echo(json.dumps(rows, indent=2))
        return
    columns = (Column("version", "id"), Column("what it is", "text"), Column("size", "number"))
    rows_ = [(each.name, each.told, size(each.size_bytes)) for each in found]
    if rows_:
        print_table(Table(columns, rows_, note="--drop VERSION removes one"), wide=wide)
    else:
        click.echo("no version besides the live one")


def print_plan(plan: Plan, *, as_json: bool, wide: bool) -> None:
    """Print what a rebuild would read."""
    left = sum(number for _, _, number in plan.topics)
    if as_json:
        topics = [{"topic": topic, "in_log": there, "to_read": number} for topic, there, number in plan.topics]
        goes_on = plan.goes_on and plan.goes_on.name
        click.echo(json.dumps({"topics": topics, "live_bytes": plan.live_bytes, "goes_on_with": goes_on}, indent=2))
        return
    columns = (Column("topic", "id"), Column("in the log", "number"), Column("to read", "number"))
    rows = [(topic, f"{there:,}", f"{number:,}") for topic, there, number in plan.topics]
    way = "a new version is built" if plan.goes_on is None else f"{plan.goes_on.name} is gone on with"
    note = (
        f"{left:,} records at most; {way}, which takes about as much room as the live tables: {size(plan.live_bytes)}"
    )
    print_table(Table(columns, rows, note=note), wide=wide)


def print_outcome(outcome: Outcome, *, as_json: bool, wide: bool) -> None:
    """Print how the tables compare, examples of what differs, and what was done."""
    if as_json:
        click.echo(json.dumps(detail_of(outcome), indent=2, ensure_ascii=False, default=str))
        return
    columns = (
        Column("table", "id"),
        Column("live rows", "number"),
        Column("rebuilt", "number"),
        Column("differing", "number"),
    )
    rows = [
        (each.table, f"{each.live_rows:,}", f"{each.rebuilt_rows:,}", f"{sum(each.differing.values()):,}")
        for each in outcome.tables
    ]
    print_table(Table(columns, rows), wide=wide)
    for each in outcome.tables:
        _print_differences(each)
    for table, number in outcome.carried.items():
        print_text(f"carried over: {number:,} rows of {table}")
    print_text(_ending(outcome))


def _print_differences(found: TableComparison) -> None:
    for kind, number in found.differing.items():
        print_text(f"{found.table}: {number:,} rows: {KINDS[kind]}")
        for each in found.examples:
            if each.kind == kind:
                key = ", ".join(map(str, each.key))
                changes = [f"{name} {_short(live)} -> {_short(new)}" for name, (live, new) in each.columns.items()]
                print_text(f"  {key}" + (f": {'; '.join(changes)}" if changes else ""))


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _TEXT_LENGTH else f"{text[:_TEXT_LENGTH]}..."


def _ending(outcome: Outcome) -> str:
    if outcome.before is not None:
        return (
            f"Switched: the rebuilt tables are live. The old ones are in the schema {outcome.before} until "
            f"`threads-agent rebuild postgres --drop {outcome.before}`."
        )
    if all(each.equal for each in outcome.tables):
        return f"Equal row by row. `threads-agent rebuild postgres --switch` puts {outcome.version} in place."
    return (
        f"Not switched: {outcome.version} is beside the live tables. `--switch` puts it in place, "
        f"`--drop {outcome.version}` removes it."
    )


def detail_of(outcome: Outcome) -> dict[str, Any]:
    """Return what was found and done as JSON holds it."""
    return {
        "version": outcome.version,
        "gone_on_with": outcome.begun_before,
        "switched": outcome.before is not None,
        "old_version": outcome.before,
        "read": outcome.read,
        "written": outcome.written,
        "refused": outcome.refused,
        "carried": outcome.carried,
        "tables": {
            each.table: {
                "live_rows": each.live_rows,
                "rebuilt_rows": each.rebuilt_rows,
                "live_checksum": each.live_sum,
                "rebuilt_checksum": each.rebuilt_sum,
                "differing": each.differing,
            }
            for each in outcome.tables
        },
        "differences": [
            {"table": each.table, "kind": example.kind, "key": example.key, "columns": example.columns}
            for each in outcome.tables
            for example in each.examples
        ],
    }
