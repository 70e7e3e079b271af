"""The command `threads-agent bench replay`: a topic into PostgreSQL, first and again, beside the server's own COPY."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from streams.embedded.ports import free_port
from streams.embedded.postgres import PostgresServer
from streams.embedded.process import stop
from streams.embedded.server import run_server
from streams.kafka.topics import create_topics
from streams.replaying.target import target_names
from tests.benchmarks.job import TOPIC
from tests.benchmarks.kpis_command import this_hour_ms
from tests.benchmarks.printing import print_json, print_results
from tests.benchmarks.replaying.measure import Measured, checksums, copied, replayed
from tests.benchmarks.running.loading import load
from tests.benchmarks.running.own_broker import Broker, broker
from tests.benchmarks.running.workload import WorkloadSize

WANTED = 0.7  # of the server's own COPY
WANTED_AGAIN = 3 * WANTED
STATE = "kpis"
COLUMNS = ("what", "records", "seconds", "records/s", "of COPY", "peak MB", "CPU s")


@click.command("replay", epilog="Example: threads-agent bench replay --events 5000000")
@click.option("--events", default=5_000_000, show_default=True, type=click.IntRange(1_000), help="Events in the topic.")
@click.option("--into", "targets", multiple=True, help="Only these targets: postgres, kpis.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def replay(*, events: int, targets: tuple[str, ...], as_json: bool) -> None:
    """Replay engagement events into PostgreSQL, then the same range again, and let the server COPY the same rows.

    A broker and a PostgreSQL of their own are started for it. Exit status 1: the second replay changed a table, or a
    rate is below what is wanted: 0.7 of the server's COPY, and three times that for a range that is there.
    """
    wanted = set(targets) or {"postgres", STATE}
    with broker(events * 3) as running, Console(stderr=True).status("starting") as status:
        asyncio.run(create_topics(running.cluster()))
        postgres = PostgresServer(running.folder / "postgres", free_port())
        running.folder.chmod(0o755)  # as root PostgreSQL runs as nobody, who must be able to enter
        process = run_server(postgres, running.folder / "logs")
        try:
            size = WorkloadSize(events=events, end_ms=this_hour_ms())
            status.update(f"loading {events:,} events")
            load(running, Path(sys.executable), size, TOPIC)
            found, same = list[Measured](), True
            if "postgres" in wanted:
                same = _into_postgres(running, postgres.dsn, found, status.update)
            if STATE in wanted and STATE in target_names():
                status.update("replaying into the KPI state")
                found.append(replayed("into the KPI state", running, postgres.dsn, STATE))
        finally:
            stop(process, postgres.launch().stop_signal)
    copy = next((each.per_second for each in found if each.name.startswith("COPY")), None)
    _show(found, copy, same=same, as_json=as_json)
    if not same or (copy is not None and not _is_fast(found, copy)):
        sys.exit(1)


def _into_postgres(running: Broker, dsn: str, found: list[Measured], say: Callable[[str], None]) -> bool:
    """Replay twice and COPY; return whether the second replay left every table as it was."""
    say("replaying into PostgreSQL")
    found.append(replayed("into PostgreSQL", running, dsn, "postgres"))
    before = checksums(dsn)
    say("replaying into PostgreSQL again")
    found.append(replayed("the same again", running, dsn, "postgres"))
    same = checksums(dsn) == before
    say("copying by the server")
    found.append(copied(dsn, running.folder))
    return same


def _is_fast(found: list[Measured], copy: float) -> bool:
    rates = {each.name: each.per_second / copy for each in found}
    return rates["into PostgreSQL"] >= WANTED and rates["the same again"] >= WANTED_AGAIN


def _show(found: list[Measured], copy: float | None, *, same: bool, as_json: bool) -> None:
    if as_json:
        print_json({"measured": [asdict(each) | {"per_second": each.per_second} for each in found], "same": same})
        return
    rows = [
        [
            each.name,
            each.records,
            round(each.seconds, 1),
            round(each.per_second),
            "" if copy is None else f"{each.per_second / copy:.2f}",
            round(each.peak_mb),
            round(each.cpu_seconds, 1),
        ]
        for each in found
    ]
    print_results(f"Replays; every table the same after the second: {same}", COLUMNS, rows)
