"""The commands that read PostgreSQL: `costs` here, `drafts` in draft_commands.py, `kpis` in kpi_commands.py."""

from __future__ import annotations

import json

import click
from rich.console import Console

from sinks.postgres.cost_report import cost_object, cost_table
from sinks.postgres.draft_commands import drafts
from sinks.postgres.kpi_commands import kpis
from sinks.postgres.queries import report
from sinks.postgres.saving_report import savings_object, savings_table
from streams.settings import current_settings

__all__ = ["costs", "drafts", "kpis"]

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command(epilog="Example: threads-agent costs --json")
@click.option("--saved", is_flag=True, help="Show what each measure has spared instead.")
@_JSON
def costs(*, saved: bool, as_json: bool) -> None:
    """Show calls, tokens and cost of each persona and model, and the total."""
    if saved:
        rows = report(current_settings(), "savings")
        if as_json:
            _print_json(savings_object(rows))
        else:
            Console().print(savings_table(rows))
        return
    *parts, total = report(current_settings(), "costs")
    if as_json:
        _print_json({"by_persona_and_model": [cost_object(row) for row in parts], "total": cost_object(total)})
    else:
        Console().print(cost_table([*parts, total]))


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
