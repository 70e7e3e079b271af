"""The command `threads-agent bench kpis`: the platform against its peers."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from pathlib import Path

import click
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from streams.cli.table import print_text
from tests.benchmarks.choice import choose
from tests.benchmarks.job import HOUR_MS
from tests.benchmarks.kpi_contest import Contest
from tests.benchmarks.printing import print_results
from tests.benchmarks.roster import ROSTER, Contestant, missing_modules
from tests.benchmarks.running.module_process import PROJECT
from tests.benchmarks.running.own_broker import broker
from tests.benchmarks.running.workload import WorkloadSize
from tests.benchmarks.standing import Standing

DEFAULT_SIZE = WorkloadSize()
INSTALL = "python3 -m venv .venv-bench && .venv-bench/bin/pip install -r requirements-bench.txt"
COLUMNS = (
    "contestant",
    "events/s",
    "min - max",
    "peak MB",
    "busy cores",
    "broker's",
    "answer",
    "events",
)


@click.command("kpis", epilog="Example: threads-agent bench kpis --events 1000000 --contestants quix,bytewax")
@click.option("--events", default=DEFAULT_SIZE.events, show_default=True, type=click.IntRange(1_000))
@click.option("--personas", default=DEFAULT_SIZE.personas, show_default=True, type=click.IntRange(1))
@click.option("--posts", default=DEFAULT_SIZE.posts, show_default=True, type=click.IntRange(1))
@click.option(
    "--repeats", default=3, show_default=True, type=click.IntRange(1), help="Runs of each; the median counts."
)
@click.option("--seed", default=DEFAULT_SIZE.seed, show_default=True, help="The same seed is the same job.")
@click.option("--contestants", default="", help="Names, with commas between; all that are installed by default.")
@click.option("--python", "python_path", type=click.Path(path_type=Path), help="Interpreter of the contestants.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def kpis(
    *,
    events: int,
    personas: int,
    posts: int,
    repeats: int,
    seed: int,
    contestants: str,
    python_path: Path | None,
    as_json: bool,
) -> None:
    """Count the same engagement events by every contestant, check the answers, and show the rates.

    A broker of its own is started for it; data of the platform is not touched. Peers are run from .venv-bench where
    it exists, because their dependencies are no business of the platform.
    """
    size = WorkloadSize(events=events, personas=personas, posts=posts, seed=seed, end_ms=this_hour_ms())
    python = python_path or bench_python()
    wanted = choose(ROSTER, contestants)
    missing = {one.name: missing_modules(python, one, PROJECT) for one in wanted}
    ready = [one for one in wanted if not missing[one.name]]
    standings = _hold(ready, size, repeats, python) if ready else []
    absent = {name: modules for name, modules in missing.items() if modules}
    if as_json:
        click.echo(json.dumps(_as_json(standings, absent, size), indent=2))
    else:
        _print_table(standings, absent, size)
    if not standings or not all(one.is_right for one in standings):
        sys.exit(1)


def this_hour_ms() -> int:
    """Return the beginning of the current hour: the job's events end there."""
    return int(time.time() * 1000) // HOUR_MS * HOUR_MS


def bench_python() -> Path:
    """Return the interpreter that has the peers' packages where there is one, else this one."""
    own = PROJECT / ".venv-bench" / "bin" / "python"
    return own if own.exists() else Path(sys.executable)


def _hold(ready: list[Contestant], size: WorkloadSize, repeats: int, python: Path) -> list[Standing]:
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting a broker", total=len(ready) * repeats)
        with broker(size.events) as running:
            contest = Contest(python, running, size)
            progress.update(task, description=f"loading {size.events:,} events")
            contest.load(ready)
            progress.update(task, completed=-1)

            def on_run(contestant: Contestant) -> None:
                progress.update(task, description=contestant.name, advance=1)

            return contest.standings(ready, repeats, on_run)


def _as_json(standings: list[Standing], absent: dict[str, list[str]], size: WorkloadSize) -> dict[str, object]:
    return {
        "contestants": [one.summary() for one in standings],
        "not_installed": absent,
        "job": {"events": size.events, "personas": size.personas, "posts": size.posts, "seed": size.seed},
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "versions": _versions(standings)},
    }


def _versions(standings: list[Standing]) -> dict[str, str]:
    return dict(
        sorted({name: found for one in standings for run in one.runs for name, found in run.versions.items()}.items())
    )


def _print_table(standings: list[Standing], absent: dict[str, list[str]], size: WorkloadSize) -> None:
    title = f"{size.events:,} events, {size.personas} personas, {size.posts:,} posts, {os.cpu_count()} cores"
    print_results(title, COLUMNS, [_row(one) for one in standings])
    for one in standings:
        print_text(f"{one.contestant.name}: {one.contestant.what}")
    for one in standings:
        if not one.is_right:
            print_text(f"{one.contestant.name}: {one.failure or one.difference}")
    for name, modules in absent.items():
        print_text(f"{name}: not installed ({', '.join(modules)})")
    if absent:
        print_text(f"To install the peers: {INSTALL}")
    versions = ", ".join(f"{name} {found}" for name, found in _versions(standings).items())
    print_text(f"Python {platform.python_version()}; {versions}")


def _row(standing: Standing) -> list[object]:
    """Return a row of the table; busy cores are CPU seconds by seconds: 1 is one core that does nothing else."""
    found = standing.summary()
    if "error" in found:
        return [standing.contestant.name, *["-"] * 5, "failed", standing.events]
    seconds = float(str(found["seconds"]))
    busy, brokers = (round(float(str(found[key])) / seconds, 2) for key in ("cpu_seconds", "broker_cpu_seconds"))
    return [
        standing.contestant.name,
        found["events_per_second"],
        f"{found['min']:,} - {found['max']:,}",
        found["peak_rss_mb"],
        busy,
        brokers,
        "right" if found["correct"] else "WRONG",
        standing.events,
    ]
