"""The commands that read PostgreSQL: `costs` here, `drafts` in draft_commands.py, `kpis` in kpi_commands.py."""

from __future__ import annotations

import json

import click

from sinks.reports.asked import asked
from sinks.reports.costs import cost_object, cost_table, savings_object, savings_table
from sinks.reports.draft_commands import drafts
from sinks.reports.kpi_commands import kpis
from streams.cli.table import print_table, wide_option

__all__ = ["costs", "drafts", "kpis"]

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command(epilog="Example: threads-agent costs --json")
@click.option("--saved", is_flag=True, help="Show what each measure has spared instead.")
@wide_option
@_JSON
def costs(*, saved: bool, wide: bool, as_json: bool) -> None:
    """Show calls, tokens and cost of each persona and model, and the total."""
    if saved:
        rows = asked("savings")
        if as_json:
            _print_json(savings_object(rows))
        else:
            print_table(savings_table(rows), wide=wide)
        return
    *parts, total = asked("costs")
    if as_json:
        _print_json({"by_persona_and_model": [cost_object(row) for row in parts], "total": cost_object(total)})
    else:
        print_table(cost_table([*parts, total]), wide=wide)


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
