"""The command `kpis`: current KPIs by window, and beneath it the posts and the daily history."""

from __future__ import annotations

import json
from datetime import date, datetime

import click

from sinks.reports.asked import asked
from sinks.reports.kpis import day_object, day_table, kpi_object, kpi_table
from sinks.reports.posts import SORTS, post_object, post_table
from streams.cli.table import print_table, wide_option

_PERSONA = click.option("--persona", help="Only this persona.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_DAY = click.DateTime(["%Y-%m-%d"])


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
    rows = asked("kpis", {"persona": persona, "window": window})
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
    chosen = {"persona": persona, "sort": sort, "limit": limit, "viral": viral, "min_views": min_views}
    rows = asked("posts", chosen)
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
    rows = asked("days", {"persona": persona, "since": _date(since), "until": _date(until)})
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


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
