"""The command `drafts`: drafts as they stand, and beneath it the report on requests and the trace of one."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from sinks.reports.asked import asked
from sinks.reports.drafting import drafting_object, expense_table, outcomes_table, why_lines
from sinks.reports.drafts import draft_object, draft_table
from streams.cli.table import Table, print_table, print_text, wide_option

_PERSONA = click.option("--persona", help="Only this persona.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


@click.group(invoke_without_command=True, epilog="Example: threads-agent drafts --status rejected")
@_PERSONA
@click.option("--status", type=click.Choice(["generated", "scored", "accepted", "rejected"]), help="Only this status.")
@wide_option
@_JSON
@click.pass_context
def drafts(ctx: click.Context, *, persona: str | None, status: str | None, wide: bool, as_json: bool) -> None:
    """Show the drafts with their decision, score, reasons and what they resemble."""
    if ctx.invoked_subcommand is not None:
        if persona or status or wide or as_json:
            raise click.UsageError(
                f"options go behind {ctx.invoked_subcommand}, e.g. threads-agent drafts report --json"
            )
        return
    rows = asked("drafts", {"persona": persona, "status": status})
    if as_json:
        _print_json([draft_object(row) for row in rows])
    elif rows:
        print_table(draft_table(rows), wide=wide)
    else:
        click.echo("no drafts yet: send a request to persona.requests, and see that generation and sink-postgres run")


@drafts.command("report", epilog="Example: threads-agent drafts report --since 2026-11-23T08:00 --json")
@_PERSONA
@click.option("--since", type=_TIME, help="Only requests of this time (UTC) and later.")
@wide_option
@_JSON
def drafting(*, persona: str | None, since: datetime | None, wide: bool, as_json: bool) -> None:
    """Show what came of requests: accepted, revised, rejected and why, dead letters, seconds, tokens and cost."""
    chosen = {"persona": persona, "since": since.replace(tzinfo=UTC) if since else None}
    totals, why = (asked(name, chosen, file="drafting.sql") for name in ("totals", "why"))
    if as_json:
        _print_json(drafting_object(totals, why))
    elif totals[-1]["requests"]:
        for table in (outcomes_table(totals), expense_table(totals)):
            print_table(table, wide=wide)
        for line in why_lines(why):
            print_text(line)
    else:
        click.echo("no such requests: send one to persona.requests, and see that sink-postgres runs")


@drafts.command(epilog="Example: threads-agent drafts trace 3f1c1a52-0c0f-5c5e-9d57-0d7b4a3f4c11")
@click.argument("request_id")
@wide_option
@_JSON
def trace(*, request_id: str, wide: bool, as_json: bool) -> None:
    """Show the whole path of one request: its drafts step by step, scores, decisions, dead letters and costs.

    The id may also be that of one of its drafts.
    """
    from sinks.reports.request_trace import request_trace, trace_object, trace_view
    from streams.settings import current_settings

    found = request_trace(current_settings(), request_id)
    if as_json:
        _print_json(trace_object(found))
        return
    for part in trace_view(found):
        if isinstance(part, Table):
            print_table(part, wide=wide)
        else:
            print_text(part)


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
