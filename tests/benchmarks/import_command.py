"""The command `threads-agent bench import`: rate and memory of an import of a file that is made on the spot."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import click
import psutil
from rich.console import Console

from streams.kafka.topics import create_topics
from tests.benchmarks.printing import print_json, print_results
from tests.benchmarks.running.own_broker import Broker, broker

LEAST_ROW_BYTES = 44
COLUMNS = ("GB", "rows", "seconds", "rows/s", "CPU us a row", "peak MB", "MB at a tenth")
SAMPLE_S = 0.2
ROWS_AT_ONCE = 100_000


@click.command("import", epilog="Example: threads-agent bench import --gigabytes 5")
@click.option("--gigabytes", default=0.1, show_default=True, type=click.FloatRange(0.001), help="Size of the file.")
@click.option(
    "--row-bytes",
    default=LEAST_ROW_BYTES,
    show_default=True,
    type=click.IntRange(LEAST_ROW_BYTES),
    help="Size of a row; beyond the least it has a text, as the rows of exports have.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def import_command(*, gigabytes: float, row_bytes: int, as_json: bool) -> None:
    """Measure an import of a CSV file whose rows all have times of their own: its rate, and its memory as it goes on.

    A broker of its own is started for it. Memory is the resident set of the importing process: at its peak, and at the
    peak of the first tenth of the time, beside which the whole shows whether it grows.
    """
    rows = max(int(gigabytes * 1e9 / row_bytes), 1_000)
    with broker(2 * rows) as running, Console(stderr=True).status("writing the file") as status:
        path = running.folder / "export.csv"
        _write(path, rows, "x" * (row_bytes - LEAST_ROW_BYTES))
        asyncio.run(create_topics(running.cluster()))
        status.update(f"importing {rows:,} rows")
        path_bytes = path.stat().st_size
        seconds, cpu_s, samples = _imported(path, running)
    tenth = samples[: max(len(samples) // 10, 1)]
    result = {
        "gigabytes": round(path_bytes / 1e9, 3),
        "rows": rows,
        "seconds": round(seconds, 1),
        "rows_per_second": round(rows / seconds),
        "cpu_us_per_row": round(cpu_s / rows * 1e6, 1),
        "peak_mb": round(max(samples)),
        "tenth_mb": round(max(tenth)),
    }
    if as_json:
        print_json(result)
    else:
        print_results(f"Import of {result['gigabytes']} GB", COLUMNS, [list(result.values())])


def _write(path: Path, rows: int, text: str) -> None:
    """Write rows with a text each: a million posts, seconds that all differ."""
    with path.open("w", encoding="utf-8") as file:
        file.write("post_id,occurred_at,views" + ",text" * bool(text) + "\n")
        rest = f",{text}\n" if text else "\n"
        for start in range(0, rows, ROWS_AT_ONCE):
            numbers = range(start, min(start + ROWS_AT_ONCE, rows))
            file.writelines(_row(number) + rest for number in numbers)


def _row(number: int) -> str:
    day, second = divmod(number, 86_400)
    year, day = divmod(day, 336)
    hour, minute = divmod(second // 60, 60)
    at = f"{1980 + year}-{1 + day // 28:02d}-{1 + day % 28:02d}T{hour:02d}:{minute:02d}:{second % 60:02d}Z"
    return f"post-{number % 1_000_000:013d},{at},{number % 900 + 100}"


def _imported(path: Path, running: Broker) -> tuple[float, float, list[float]]:
    """Return how long the import took, its CPU seconds, and its resident set in MB now and then."""
    maps = [word for name in ("post_id", "occurred_at", "views") for word in ("--map", f"{name}={name}")]
    command = [sys.executable, "-m", "streams.cli.main", "import", "engagement", str(path), *maps, "--persona", "ada"]
    settings = {"THREADS_KAFKA": running.bootstrap, "THREADS_HOME": str(running.home)}
    began, cpu_s, samples = time.monotonic(), 0.0, list[float]()
    with subprocess.Popen(command, env={**os.environ, **settings}, stdout=subprocess.DEVNULL) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                samples.append(watched.memory_info().rss / 1e6)
                cpu_s = sum(watched.cpu_times()[:2])
            except psutil.NoSuchProcess:
                break
            time.sleep(SAMPLE_S)
    if process.returncode != 0:
        raise click.ClickException(f"the import ended with status {process.returncode}")
    return time.monotonic() - began, cpu_s, samples
