"""The command `threads-agent budgets`."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import click

from streams.cli.table import print_table, print_text, wide_option

if TYPE_CHECKING:
    from agents.spend.budget_report import BudgetLine
    from schemas.records import BudgetAlert


@click.command(epilog="Example: threads-agent budgets --json")
@wide_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def budgets(*, wide: bool, as_json: bool) -> None:
    """Show what was spent of the budgets in this hour and today, the level that gives, and today's alerts."""
    from agents.spend.budget_report import alert_line, budgets_object, budgets_table

    lines, alerts = asyncio.run(_read())
    if as_json:
        click.echo(json.dumps(budgets_object(lines, alerts), indent=2, ensure_ascii=False))
        return
    print_table(budgets_table(lines), wide=wide)
    for line in lines:
        if line.level.kind != "free":
            print_text(line.level.reason)
    for said in map(alert_line, alerts):
        print_text(said)
    if not alerts:
        click.echo("no alerts today")


async def _read() -> tuple[list[BudgetLine], list[BudgetAlert]]:
    from agents.costs.budget import EVERYONE, BudgetLimits, BudgetPolicy
    from agents.personas.persona_topic import read_directory
    from agents.spend.budget_report import budget_lines
    from agents.spend.budgets import limits_of_persona
    from agents.spend.spend_book import day_of
    from agents.spend.spend_topics import alerts_since, spend_directory
    from streams.kafka.cluster import Cluster
    from streams.settings import current_settings
    from streams.wall_clock import utc_now

    settings = current_settings()
    cluster = Cluster.of(settings)
    registry = cluster.open_registry()
    now = utc_now()
    personas = await read_directory(settings)
    limits = {each.persona.persona_id: limits_of_persona(each.persona) for each in personas.known()}
    spend = await spend_directory(cluster, registry).read_once()
    lines = budget_lines(spend.book, {**limits, EVERYONE: BudgetLimits.of(settings)}, BudgetPolicy.of(settings), now)
    return lines, await alerts_since(cluster, registry, day_of(now))
