"""The command `replay`: read a chosen part of the log again, into a store, the KPI state or another topic."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import click

from sinks.replaying.selecting import selected, selection_options
from streams.cli.table import wide_option

if TYPE_CHECKING:
    from schemas.records import OperationRun
    from streams.replaying.selection import Selection
    from streams.settings import Settings

INTERRUPTED_EXIT_STATUS = 130


@click.command(epilog="Example: threads-agent replay engagement.events --since 2026-03-01T00:00:00Z --into postgres")
@selection_options
@click.option("--into", metavar="TARGET", help="postgres, qdrant, prometheus, kpis, or topic:NAME.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="At most so many records a second.")
@click.option("--dry-run", is_flag=True, help="Count what would be read, show samples, write nothing.")
@click.option("--resume", metavar="RUN", help="Go on with this run; it says itself what it reads and where it writes.")
@click.option("--again", is_flag=True, help="Begin a new run, also where one was broken off or is done.")
@click.option("--by", default=None, help="Who does it, for the audit. Default: user and machine.")
@click.option("--json", "as_json", is_flag=True, help="Print the run, or what a dry run found, as an object.")
@wide_option
@click.pass_context
def replay(
    ctx: click.Context,
    /,
    *,
    into: str | None,
    rate: float | None,
    dry_run: bool,
    resume: str | None,
    again: bool,
    by: str | None,
    as_json: bool,
    wide: bool,
    **chosen: Any,  # noqa: ANN401 - the options of a selection
) -> None:
    """Read records of TOPICs again into a target; done twice, it changes nothing.

    Times are ISO 8601 (UTC where no zone is named) or epoch milliseconds. A run that was broken off, also by kill -9,
    is gone on with by the same command.
    """
    from sinks.replaying.dry_run import show
    from sinks.replaying.running import Request, run_replay
    from streams.settings import current_settings

    settings = current_settings()
    if resume is None:
        selection, target = _asked(chosen, into)
        request = Request(selection=selection, target=target, again=again, requested_by=by, rate=rate)
    else:
        if chosen["topics"] or into is not None:
            raise click.UsageError("--resume takes neither topics nor --into: the run knows them")
        request = Request(resume=resume, rate=rate)
    if dry_run:
        asyncio.run(show(settings, request, as_json=as_json, wide=wide))
        return
    began = _now_ms()
    try:
        run = asyncio.run(run_replay(settings, request))
    except KeyboardInterrupt:
        click.echo("interrupted; the same command goes on where it was", err=True)
        ctx.exit(INTERRUPTED_EXIT_STATUS)
    _tell(settings, run, began, as_json=as_json)


def _asked(chosen: dict[str, Any], into: str | None) -> tuple[Selection, str]:
    if not chosen["topics"]:
        raise click.UsageError("which topics? Name at least one TOPIC")
    if into is None:
        raise click.UsageError("into what? Name it with --into")
    return selected(chosen), into


def _tell(settings: Settings, run: OperationRun, began_ms: int, *, as_json: bool) -> None:
    """Print what was done, and note it in Grafana."""
    from sinks.grafana_live.notes import note_replay
    from streams.json_records import render_record

    skipped = f", {run.skipped:,} of other keys or there already" if run.skipped else ""
    numbers = f"{run.read:,} read, {run.written:,} written, {run.refused:,} refused{skipped}"
    done = f"{run.selection} into {run.target}: {numbers}"
    click.echo(json.dumps(render_record(run), indent=2, ensure_ascii=False) if as_json else done)
    problem = asyncio.run(note_replay(settings, f"replay of {done}", began_ms, _now_ms()))
    if problem is not None:
        click.echo(problem, err=True)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
