"""Who takes part in the benchmark: each contestant's script, what it needs installed, and how many events it gets."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from streams.errors import ThreadsError

CHECK_TIMEOUT_S = 60.0
PACKAGE = "tests.benchmarks.contestants"
_FIND_MISSING = (
    "import importlib.util as u, json, sys; print(json.dumps([n for n in sys.argv[1:] if u.find_spec(n) is None]))"
)


@dataclass(frozen=True, slots=True)
class Contestant:
    """A script of agents/bench/contestants.

    `needs` are import names, `max_events` bounds a slow one's share, `reads_file` has the events written as a file too.
    """

    name: str
    script: str
    what: str
    needs: tuple[str, ...] = ()
    max_events: int | None = None
    reads_file: bool = False

    @property
    def module(self) -> str:
        """Return the module that `python -m` runs."""
        return f"{PACKAGE}.{self.script}"


ROSTER = (
    Contestant("threads-agent-stack", "threads_agent_stack", "this platform, every guarantee on"),
    Contestant("stock-faust", "stock_faust", "Faust, a table write per event", ("faust",), max_events=50_000),
    Contestant("quix", "quix", "Quix Streams, state and changelog", ("quixstreams",)),
    Contestant("bytewax-recovery", "bytewax_recovery", "Bytewax, recovery on", ("bytewax", "confluent_kafka")),
    Contestant("bytewax", "bytewax_plain", "Bytewax, recovery off", ("bytewax", "confluent_kafka")),
    Contestant(
        "confluent-loop", "confluent_loop", "confluent-kafka + fastavro by hand, no state", ("confluent_kafka",)
    ),
    Contestant("aiokafka-loop", "aiokafka_loop", "aiokafka + fastavro by hand, no state", ("aiokafka",)),
    Contestant(
        "polars-file",
        "polars_file",
        "Polars on a file, no stream: the limit",
        ("polars",),
        reads_file=True,
    ),
)

PLATFORM = ROSTER[0]


def missing_modules(python: Path, contestant: Contestant, folder: Path) -> list[str]:
    """Return what the interpreter can't import of a contestant: its packages, or its own script."""
    return modules_missing(python, [*contestant.needs, contestant.module], folder)


def modules_missing(python: Path, names: Sequence[str], folder: Path) -> list[str]:
    """Return which modules an interpreter can't import when it runs in a folder."""
    command = [str(python), "-c", _FIND_MISSING, *names]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=CHECK_TIMEOUT_S, check=False)
    if done.returncode:
        raise ThreadsError(f"{python} can't be used for the benchmark: {done.stderr.strip() or done.returncode}")
    missing: list[str] = json.loads(done.stdout)
    return missing
