"""`threads-agent runs`: who replayed, rebuilt, imported, reset or erased what, how far it is and how it ended."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import click

from streams.cli.table import Column, Shown, Table, count, print_table, print_text, wide_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.records import OperationRun


@click.group(epilog="Example: threads-agent runs list")
def runs() -> None:
    """See the runs of commands that change state on purpose: who, what, how far, how it ended."""


@runs.command("list", epilog="Example: threads-agent runs list --operation replay --last 20")
@click.option("--operation", help="Only runs of this operation, such as replay, rebuild or import.")
@click.option("--status", type=click.Choice(["running", "done", "failed", "cancelled"]), help="Only runs that are so.")
@click.option("--last", type=click.IntRange(min=1), help="Only the last so many.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@wide_option
def list_(*, operation: str | None, status: str | None, last: int | None, as_json: bool, wide: bool) -> None:
    """List runs in the order in which they began; `running` are also those that a kill broke off."""
    found = [
        run
        for run in asyncio.run(_runs()).values()
        if operation in (None, run.operation) and status in (None, run.status)
    ]
    found = found if last is None else found[-last:]
    if as_json:
        click.echo(json.dumps([_as_object(run) for run in found], indent=2, ensure_ascii=False))
    elif found:
        print_table(runs_table(found), wide=wide)
    else:
        click.echo("no such runs")


@runs.command("show", epilog="Example: threads-agent runs show 5d9c1c1e-7d0a-4d5c-9a53-3c0f5f9b7e21")
@click.argument("run_id", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
@wide_option
@click.pass_context
def show(ctx: click.Context, /, *, run_id: str, as_json: bool, wide: bool) -> None:
    """Show one run by its id or the beginning of it. Exit status 1: there is none, or several begin so."""
    found = [run for each, run in asyncio.run(_runs()).items() if each.startswith(run_id)]
    if len(found) != 1:
        said = "no run begins so" if not found else f"{len(found)} runs begin so: give more of the id"
        click.echo(f"{run_id}: {said}; `threads-agent runs list --wide` shows all", err=True)
        ctx.exit(1)
    [run] = found
    if as_json:
        click.echo(json.dumps(_as_object(run), indent=2, ensure_ascii=False))
        return
    for line in run_lines(run):
        print_text(line)
    if run.positions:
        print_table(positions_table(run), wide=wide)


async def _runs() -> dict[str, OperationRun]:
    from streams.kafka.cluster import Cluster
    from streams.operations.runs import read_runs
    from streams.settings import current_settings

    return await read_runs(await Cluster.reached(current_settings()))


def _as_object(run: OperationRun) -> dict[str, object]:
    from streams.json_records import render_record

    return render_record(run)


_RUN_COLUMNS = (
    Column("began (UTC)"),
    Column("operation"),
    Column("status"),
    Column("read", "number", minor=1),
    Column("written", "number", minor=1),
    Column("refused", "number", minor=1),
    Column("run", "id"),
    Column("what", "text"),
    Column("by", "text", minor=2),
)


def runs_table(found: Sequence[OperationRun]) -> Table:
    """Return the table that `runs list` prints."""
    rows = [
        (
            Shown(f"{run.started_at:%Y-%m-%d %H:%M:%S}", f"{run.started_at:%m-%d %H:%M}"),
            run.operation,
            run.status,
            count(run.read),
            count(run.written),
            count(run.refused),
            run.run_id,
            f"{run.selection} into {run.target}",
            run.requested_by,
        )
        for run in found
    ]
    return Table(_RUN_COLUMNS, rows, note="redrives and drops of dead letters: threads-agent dead-letters runs")


def run_lines(run: OperationRun) -> list[str]:
    """Return what is to be known of a run, a line for each thing."""
    ended = "" if run.ended_at is None else f", ended {run.ended_at:%Y-%m-%d %H:%M:%S}"
    selected = "" if run.selected is None else f" of at most {run.selected:,}"
    records = f"{run.read:,} read{selected}, {run.written:,} written, {run.skipped:,} skipped, {run.refused:,} refused"
    return [
        f"{run.operation} {run.run_id}",
        f"  status    {run.status}{'' if run.reason is None else f': {run.reason}'}",
        f"  by        {run.requested_by}",
        f"  began     {run.started_at:%Y-%m-%d %H:%M:%S} UTC{ended}",
        f"  reads     {run.selection}",
        f"  into      {run.target}",
        f"  records   {records}",
        *([] if run.detail is None else [f"  detail    {run.detail}"]),
    ]


_POSITION_COLUMNS = (
    Column("topic", "id"),
    Column("partition", "number"),
    Column("from", "number"),
    Column("goes on at", "number"),
    Column("to", "number"),
)


def positions_table(run: OperationRun) -> Table:
    """Return how far each partition is read; `to` is the offset behind the last."""
    rows = [
        (each.topic, str(each.partition), count(each.start), count(each.next), count(each.end))
        for each in run.positions
    ]
    return Table(_POSITION_COLUMNS, rows)
