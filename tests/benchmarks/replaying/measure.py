"""One replay as a process of its own, and the server's own COPY of the same rows into the same table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

from streams.errors import ThreadsError
from tests.benchmarks.job import TOPIC
from tests.benchmarks.running.module_process import PROJECT
from tests.benchmarks.running.own_broker import Broker

TIMEOUT_S = 3_600.0
TABLE = "engagement"
BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class Measured:
    """How long something took for so many records; `peak_mb` is the client's memory, 0 where there is none."""

    name: str
    records: int
    seconds: float
    peak_mb: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def per_second(self) -> float:
        """Return the rate."""
        return self.records / self.seconds


def replayed(name: str, broker: Broker, dsn: str, target: str) -> Measured:
    """Replay the whole topic by the command, and return what its process took, start and end included.

    Raises:
        ThreadsError: it did not end well.
    """
    command = [sys.executable, "-m", "streams.cli.main", "replay", TOPIC, "--into", target, "--again", "--json"]
    own = {"THREADS_HOME": str(broker.home), "THREADS_KAFKA": broker.bootstrap, "THREADS_POSTGRES_DSN": dsn}
    began = time.monotonic()
    with subprocess.Popen(
        command, cwd=PROJECT, env={**os.environ, **own}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said, complained = process.stdout.read(), process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    if process.returncode:
        raise ThreadsError(f"the replay ended with status {process.returncode}: {complained.strip()[-500:]}")
    run = json.loads(said)
    if run["refused"] or run["read"] != run["written"]:
        raise ThreadsError(f"the replay did not write all of it: {said}")
    return Measured(
        name, run["read"] + run["skipped"], seconds, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime
    )


def copied(dsn: str, folder: Path) -> Measured:
    """Let the server load the table's rows from a file, in the order of the log, into a table made like it.

    The file lies on the server's own disk, the keys and indexes are there before the rows, and it is one transaction:
    the server's best. What the platform keeps besides, the totals of posts and days, is not made.
    """
    file = folder / "baseline.csv"
    with psycopg.connect(dsn, autocommit=True) as connection:
        columns = ", ".join(
            name
            for (name,) in connection.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_generated = 'NEVER' "
                "ORDER BY ordinal_position",
                (TABLE,),
            ).fetchall()
        )

        rows = f"SELECT {columns} FROM {TABLE} ORDER BY source_offset, source_partition"
        with file.open("wb") as out, connection.cursor().copy(f"COPY ({rows}) TO STDOUT (FORMAT csv)") as stream:
            for part in stream:
                out.write(part)
        file.chmod(0o644)
        connection.execute(f"CREATE TABLE {BASELINE} (LIKE {TABLE} INCLUDING ALL)")
        connection.execute("CHECKPOINT")
        began = time.monotonic()
        done = connection.execute(f"COPY {BASELINE} ({columns}) FROM '{file}' (FORMAT csv)")
        seconds = time.monotonic() - began
        connection.execute(f"DROP TABLE {BASELINE}")
    file.unlink()
    return Measured("COPY by the server", done.rowcount, seconds)


def checksums(dsn: str) -> dict[str, str]:
    """Return a checksum of the rows of every table, whatever order they lie in."""
    with psycopg.connect(dsn) as connection:
        names = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = %s",
            ("BASE TABLE",),
        ).fetchall()
        sums = {}
        for (name,) in names:
            row = connection.execute(
                f"SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM {name} AS t"
            ).fetchone()
            sums[name] = str(row)
    return sums
