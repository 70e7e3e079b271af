"""The command `threads-agent bench generation`: drafts per second, latency at a steady rate, the offline model."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from streams.cli.table import print_text
from streams.embedded.offline_models import ASKED_LANGUAGES, SMOLLM2, offline_model_of
from tests.benchmarks.choice import choose
from tests.benchmarks.generation.contest import standings, surroundings
from tests.benchmarks.generation.latency import SteadyLoad, at_steady_rate
from tests.benchmarks.generation.offline import LANGUAGE, OfflineRun, offline_run
from tests.benchmarks.generation.roster import ROSTER, Contestant
from tests.benchmarks.generation.stack_run import Load
from tests.benchmarks.generation.standing import Standing
from tests.benchmarks.kpis_command import INSTALL, bench_python
from tests.benchmarks.printing import print_json, print_results

PACKAGES = ("langgraph", "openai", "aiohttp")
COLUMNS = (
    "contestant",
    "drafts/s",
    "min - max",
    "to floor",
    "peak MB",
    "CPU s/1,000",
    "servers'",
    "drafts",
    "accepted",
)
FLOOR = "bare-graph"


@click.command("generation", epilog="Example: threads-agent bench generation --latency 0.5")
@click.option("--requests", default=2_000, show_default=True, type=click.IntRange(10), help="Drafts of each run.")
@click.option("--concurrency", default=64, show_default=True, type=click.IntRange(1), help="Model calls in flight.")
@click.option("--latency", default=0.0, show_default=True, type=click.FloatRange(0), help="Seconds before each answer.")
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1), help="Workers of a contestant.")
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(1), help="Runs; the median counts.")
@click.option("--contestants", default="", help="Names, with commas between; all that can run here by default.")
@click.option("--rate", type=click.FloatRange(0.1), help="Measure latency instead, at so many requests a second.")
@click.option("--seconds", default=20.0, show_default=True, type=click.FloatRange(1), help="How long, with --rate.")
@click.option("--offline", is_flag=True, help="Measure offline models instead; 20 drafts are enough.")
@click.option(
    "--model", "models", multiple=True, help="With --offline: name or GGUF file (repeatable); default: smollm2."
)
@click.option("--language", "languages", multiple=True, type=click.Choice(ASKED_LANGUAGES), help="With --offline.")
@click.option("--python", "python_path", type=click.Path(path_type=Path), help="Interpreter of the contestants.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def generation(
    *,
    requests: int,
    concurrency: int,
    latency: float,
    processes: int,
    repeats: int,
    contestants: str,
    rate: float | None,
    seconds: float,
    offline: bool,
    models: tuple[str, ...],
    languages: tuple[str, ...],
    python_path: Path | None,
    as_json: bool,
) -> None:
    """Write the same posts by every contestant against a model that answers at once, and show the rates.

    A broker, a model server and, for Celery, a Redis of the benchmark's own are started for it. With --rate it shows
    how long a request takes beyond the model's time; with --offline how many posts the offline model brings.
    """
    load = Load(requests, concurrency, latency, processes)
    python = python_path or bench_python()
    if offline:
        _show_offline(requests, models or (SMOLLM2.name,), languages or (LANGUAGE,), as_json=as_json)
    elif rate is not None:
        _show_latency(SteadyLoad(rate, seconds, load), python, as_json=as_json)
    else:
        _show_contest(choose(ROSTER, contestants), load, repeats, python, as_json=as_json)


def _show_contest(wanted: Sequence[Contestant], load: Load, repeats: int, python: Path, *, as_json: bool) -> None:
    absent = {one.name: why for one in wanted if (why := one.absent(python))}
    ready = [one for one in wanted if one.name not in absent]
    with Console(stderr=True).status("starting the model") as status, surroundings(python, load.latency_s) as around:
        found = standings(around, ready, load, repeats, lambda one: status.update(one.name))
    if as_json:
        print_json(
            {"contestants": [each.summary() for each in found], "not_installed": absent, "job": asdict(load)}
            | {"versions": _versions()}
        )
    else:
        _print_contest(found, absent, load)
    if not found or any(each.failure for each in found):
        sys.exit(1)


def _print_contest(found: Sequence[Standing], absent: dict[str, str], load: Load) -> None:
    title = (
        f"{load.requests:,} drafts, {load.concurrency} calls in flight, model latency {load.latency_s:g} s, "
        f"{load.processes} process(es), {os.cpu_count()} cores"
    )
    floor = next((each.rate for each in found if each.name == FLOOR), None)
    print_results(title, COLUMNS, [_row(each, floor) for each in found])
    for each in found:
        print_text(f"{each.name}: {each.what}")
        if each.failure:
            print_text(f"{each.name}: {each.failure}")
    for name, why in absent.items():
        print_text(f"{name}: not run: {why} ({INSTALL})")
    versions = ", ".join(f"{name} {number}" for name, number in _versions().items())
    print_text(f"Python {platform.python_version()}; {versions}")


def _row(standing: Standing, floor: float | None) -> list[object]:
    found = standing.summary()
    if "error" in found:
        return [standing.name, "failed", *["-"] * (len(COLUMNS) - 2)]
    share = f"{standing.rate / floor:.0%}" if standing.rate and floor else "-"
    return [
        standing.name,
        found["drafts_per_second"],
        f"{found['min']} - {found['max']}",
        share,
        found["peak_rss_mb"],
        found["cpu_s_per_thousand"],
        found["server_cpu_s_per_thousand"],
        found["drafts"],
        "-" if found["accepted"] is None else found["accepted"],
    ]


def _show_latency(steady: SteadyLoad, python: Path, *, as_json: bool) -> None:
    with Console(stderr=True).status("measuring"):
        found = at_steady_rate(steady, python)
    if as_json:
        print_json({"requests_per_second": steady.rate, "job": asdict(steady.load), **found.as_json()})
        return
    title = f"From request to decided draft beyond the model's time, {steady.rate:g} requests/s"
    columns = ("", "p50 ms", "p95 ms", "p99 ms", "max ms", "drafts")
    rows = [[name, each.p50_ms, each.p95_ms, each.p99_ms, each.max_ms, each.events] for name, each in found.rows()]
    print_results(title, columns, rows)


def _show_offline(requests: int, models: Sequence[str], languages: Sequence[str], *, as_json: bool) -> None:
    found = []
    with Console(stderr=True).status("the offline model writes") as status:
        for model, language in product(models, languages):
            status.update(f"{model} writes {language}")
            found.append(offline_run(requests, model, language))
    if as_json:
        print_json({"runs": [_offline_object(one) for one in found]} if len(found) > 1 else _offline_object(found[0]))
        return
    columns = ("model", "lang", "accepted in 5 s", "accepted", "rejected", "refused", "revised", "s a draft", "calls")
    rows = [
        [
            one.model,
            one.language,
            one.accepted_per_5_s,
            one.accepted,
            one.rejected,
            one.refused,
            one.revised,
            "-" if one.seconds_per_draft is None else one.seconds_per_draft,
            one.tokens.calls,
        ]
        for one in found
    ]
    print_results(f"Offline models on {os.cpu_count()} cores", columns, rows)
    for name in dict.fromkeys(models):
        print_text(f"{name}: licence: {offline_model_of(name).licence}")
    for one in found:
        for reason, count in one.why.items():
            print_text(f"{count:>5} x {one.model} {one.language} {reason}")


def _offline_object(run: OfflineRun) -> dict[str, Any]:
    return asdict(run) | {"accepted_per_5_s": run.accepted_per_5_s, "seconds_per_draft": run.seconds_per_draft}


def _versions() -> dict[str, str]:
    return {name: version(name) for name in PACKAGES}
