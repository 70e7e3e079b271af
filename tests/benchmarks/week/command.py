"""The command `threads-agent bench week`: a week with faults and kill -9 that ends with every post once."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import click
from rich.console import Console

from streams.cli.table import print_text
from streams.errors import ThreadsError
from streams.kafka.topics import create_topics
from tests.benchmarks.printing import print_results
from tests.benchmarks.running.own_broker import Broker, broker
from tests.benchmarks.week.processes import processes, settings_at, settings_of_webhooks
from tests.benchmarks.week.run import Report, Terms, Week, begin
from tests.support.faults.shifted_clock import ShiftedClock

EVENTS = 2_000_000
MOST_WORDS = 40
COLUMNS = ("accepted", "published", "duplicates", "lost", "KPI differences", "faults", "kills", "seconds")


@click.command("week", epilog="Example: threads-agent bench week --days 7 --kills 10 --fault-rate 0.05")
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 60), help="Days that pass.")
@click.option("--personas", default=8, show_default=True, type=click.IntRange(1, 50), help="Personas that post.")
@click.option("--posts-per-day", default=3, show_default=True, type=click.IntRange(1, 12), help="Drafts of each.")
@click.option("--speed", default=2_000.0, show_default=True, type=click.FloatRange(1, 20_000), help="Of the clock.")
@click.option("--kills", default=10, show_default=True, type=click.IntRange(0, 100), help="Times a role gets kill -9.")
@click.option(
    "--fault-rate",
    default=0.05,
    show_default=True,
    type=click.FloatRange(0, 0.15),
    help="Share of the calls that a fault of each kind befalls; those that can befall any call do so together.",
)
@click.option("--seed", default=1, show_default=True, help="What everything is drawn from: texts, kills, faults.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def week(
    *,
    days: int,
    personas: int,
    posts_per_day: int,
    speed: float,
    kills: int,
    fault_rate: float,
    seed: int,
    as_json: bool,
) -> None:
    """Let a simulated week pass with faults of every kind and kill -9, and compare all with the simulator's truth.

    A broker, a simulator and all roles of publishing are started for it, on a clock of their own. In the end every
    accepted post must be at the simulator exactly once, and the KPIs must be the simulator's own numbers.
    """
    terms = Terms(days, personas, posts_per_day, speed, kills, fault_rate, seed)
    with broker(EVENTS) as running, Console(stderr=True).status("starting") as status:
        report = week_of(running, terms, status.update)
        logs = None if report.is_good else kept_logs(running, report)
    _show(report, logs, as_json=as_json)
    if not report.is_good:
        sys.exit(1)


def week_of(running: Broker, terms: Terms, told: Callable[[str], object] = print) -> Report:
    """Let a week pass on a broker.

    Raises:
        ThreadsError: a role ended, or nothing goes on; the message says where its logs are.
    """
    asyncio.run(create_topics(running.cluster()))
    clock = ShiftedClock(running.folder / "clock")
    start = begin(clock, terms)
    settings = {**settings_at(terms.speed), **settings_of_webhooks(), "THREADS_SIMULATOR_SEED": str(terms.seed)}
    try:
        with processes(running, clock, settings) as roles:
            passing = Week(running, clock, roles, terms, start, told)
            return asyncio.run(passing.pass_by())
    except ThreadsError as error:
        raise ThreadsError(f"{error}\nThe logs are in {kept_logs(running, None)}") from error


def kept_logs(running: Broker, report: Report | None) -> Path:
    """Keep the logs of a run, with what is wrong, and return where they are."""
    kept = Path(tempfile.mkdtemp(prefix="threads-week-"))
    shutil.copytree(running.folder / "logs", kept, dirs_exist_ok=True)
    if report is not None:
        (kept / "differences.txt").write_text("\n".join(report.verdict.words) + "\n", encoding="utf-8")
    return kept


def _show(report: Report, logs: Path | None, *, as_json: bool) -> None:
    figures = report.figures()
    if as_json:
        click.echo(json.dumps(figures, indent=2))
    else:
        print_results("A week at the simulator", COLUMNS, [list(figures.values())])
        print_text(f"Faults: {_listed(report.faults)}.")
        print_text(f"Acted by hand: {_listed(report.by_hand) or 'never'}. All numbers are simulated.")
    for each in report.verdict.words[:MOST_WORDS]:
        click.echo(each, err=True)
    if logs is not None:
        click.echo(f"The logs, and all differences, are in {logs}", err=True)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items(), key=lambda each: -each[1]))
