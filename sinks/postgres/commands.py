"""The commands that read PostgreSQL: `kpis`, `drafts` and `costs`."""

from __future__ import annotations

import json

import click
from rich.console import Console

from sinks.postgres.cost_report import cost_object, cost_table
from sinks.postgres.draft_report import draft_object, draft_table
from sinks.postgres.kpi_report import kpi_object, kpi_table
from sinks.postgres.queries import report
from streams.settings import current_settings

_PERSONA = click.option("--persona", help="Only this persona.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command(epilog="Example: threads-agent kpis --persona nova --window 24h --json")
@_PERSONA
@click.option("--window", type=click.Choice(["1h", "24h", "7d", "30d", "lifetime"]), help="Only this window.")
@_JSON
def kpis(*, persona: str | None, window: str | None, as_json: bool) -> None:
    """Show the current KPIs of each persona and window, ratios with their denominators."""
    rows = report(current_settings(), "kpis", {"persona": persona, "window": window})
    if as_json:
        _print_json([kpi_object(row) for row in rows])
    elif rows:
        Console().print(kpi_table(rows))
    else:
        click.echo("no KPIs yet: import or produce engagement, and see that the roles kpis and sink-postgres run")


@click.command(epilog="Example: threads-agent drafts --status rejected")
@_PERSONA
@click.option("--status", type=click.Choice(["generated", "scored", "accepted", "rejected"]), help="Only this status.")
@_JSON
def drafts(*, persona: str | None, status: str | None, as_json: bool) -> None:
    """Show the drafts with their decision, score, reasons and what they resemble."""
    rows = report(current_settings(), "drafts", {"persona": persona, "status": status})
    if as_json:
        _print_json([draft_object(row) for row in rows])
    elif rows:
        Console().print(draft_table(rows))
    else:
        click.echo("no drafts yet: send a request to persona.requests, and see that generation and sink-postgres run")


@click.command(epilog="Example: threads-agent costs --json")
@_JSON
def costs(*, as_json: bool) -> None:
    """Show calls, tokens and cost of each persona and model, and the total."""
    *parts, total = report(current_settings(), "costs")
    if as_json:
        _print_json({"by_persona_and_model": [cost_object(row) for row in parts], "total": cost_object(total)})
    else:
        Console().print(cost_table([*parts, total]))


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
