"""The commands that read PostgreSQL: `costs`, `drafts` and `kpis`; its client is imported with the first question."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import click

from sinks.reports.asked import WHOLE_LIST, asked, of_personas
from sinks.reports.costs import cost_object, cost_table, savings_object, savings_table
from sinks.reports.drafts import draft_object, draft_table, drafting_object, expense_table, outcomes_table, why_lines
from sinks.reports.kpis import (
    ALL_DAYS,
    FIRST_POSTS,
    SORTS,
    day_object,
    day_table,
    kpi_object,
    kpi_table,
    post_object,
    post_table,
)
from streams.cli.table import Table, print_table, print_text, wide_option

ALL = {"personas": None}
_PERSONA = click.option("--persona", help="Only this persona.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])
_DAY = click.DateTime(["%Y-%m-%d"])


@click.command(epilog="Example: threads-agent costs --json")
@click.option("--saved", is_flag=True, help="Show what each measure has spared instead.")
@wide_option
@_JSON
def costs(*, saved: bool, wide: bool, as_json: bool) -> None:
    """Show calls, tokens and cost of each persona and model, and the total."""
    if saved:
        rows = asked("savings", ALL)
        if as_json:
            _print_json(savings_object(rows))
        else:
            print_table(savings_table(rows), wide=wide)
        return
    *parts, total = asked("costs", ALL)
    if as_json:
        _print_json({"by_persona_and_model": [cost_object(row) for row in parts], "total": cost_object(total)})
    else:
        print_table(cost_table([*parts, total]), wide=wide)


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


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
    chosen = {"personas": of_personas(persona), "status": status, "draft": None}
    rows = asked("drafts", {**chosen, **WHOLE_LIST})[::-1]
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


@click.group(invoke_without_command=True, epilog="Example: threads-agent kpis --persona nova --window 24h --json")
@_PERSONA
@click.option("--window", type=click.Choice(["1h", "24h", "7d", "30d", "lifetime"]), help="Only this window.")
@wide_option
@_JSON
@click.pass_context
def kpis(ctx: click.Context, *, persona: str | None, window: str | None, wide: bool, as_json: bool) -> None:
    """Show the current KPIs of each persona and window, ratios with their denominators."""
    if ctx.invoked_subcommand is not None:
        if persona or window or wide or as_json:
            name = ctx.invoked_subcommand
            raise click.UsageError(f"options go behind {name}: threads-agent kpis {name} --persona ada --json")
        return
    rows = asked("kpis", {"personas": of_personas(persona), "window": window})
    if as_json:
        _print_json([kpi_object(row) for row in rows])
    elif rows:
        print_table(kpi_table(rows), wide=wide)
    else:
        click.echo("no KPIs yet: import or produce engagement, and see that the roles kpis and sink-postgres run")


@kpis.command(epilog="Example: threads-agent kpis posts --persona nova --sort views --limit 20 --json")
@_PERSONA
@click.option("--sort", type=click.Choice(SORTS), default="views", show_default=True, help="Greatest or latest first.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Greatest number of posts.")
@click.option("--viral", is_flag=True, help="Only viral posts.")
@click.option("--min-views", type=click.IntRange(min=0), default=0, help="Only posts with so many views.")
@wide_option
@_JSON
def posts(
    *, persona: str | None, sort: str, limit: int, viral: bool, min_views: int, wide: bool, as_json: bool
) -> None:
    """Show posts with counters, engagement rate, viral or not, first hour and first day."""
    chosen = {"personas": of_personas(persona), "sort": sort, "viral": viral, "min_views": min_views}
    rows = asked("posts", {**chosen, **FIRST_POSTS, "limit": limit})
    if as_json:
        _print_json([post_object(row) for row in rows])
    elif rows:
        print_table(post_table(rows), wide=wide)
    else:
        click.echo(f"no such posts{_of(persona)}: see that engagement names its post_id and that sink-postgres runs")


@kpis.command(epilog="Example: threads-agent kpis daily --persona nova --since 2026-03-01 --json")
@_PERSONA
@click.option("--since", type=_DAY, help="Only this day (UTC) and later ones.")
@click.option("--until", type=_DAY, help="Only days before this one (UTC).")
@wide_option
@_JSON
def daily(*, persona: str | None, since: datetime | None, until: datetime | None, wide: bool, as_json: bool) -> None:
    """Show the daily history: what happened on each UTC day, however late its events came."""
    if since and until and since >= until:
        raise click.BadParameter(f"expected a day after {since:%Y-%m-%d}, got {until:%Y-%m-%d}", param_hint="--until")
    span = {"personas": of_personas(persona), "since": _date(since), "until": _date(until)}
    rows = asked("days", {**span, **ALL_DAYS})
    if as_json:
        _print_json([day_object(row) for row in rows])
    elif rows:
        print_table(day_table(rows), wide=wide)
    else:
        click.echo(f"no such days{_of(persona)}: import or produce engagement, and see that sink-postgres runs")


def _of(persona: str | None) -> str:
    return f" of persona {persona}" if persona else ""


def _date(moment: datetime | None) -> date | None:
    return moment.date() if moment else None
