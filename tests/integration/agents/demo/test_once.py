from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from agents.demo.history import find_history, totals_of

DEMO_TIMEOUT_S = 280.0
COMMAND_TIMEOUT_S = 60.0


@pytest.fixture
def home() -> Iterator[Path]:
    with TemporaryDirectory(prefix="demo home ", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # as root PostgreSQL runs as nobody, who must be able to enter
        yield Path(folder)


def threads_agent(home: Path, *arguments: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streams.cli.main", *arguments],
        env={**os.environ, "THREADS_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@pytest.mark.timeout(DEMO_TIMEOUT_S + 2 * COMMAND_TIMEOUT_S)
def test_the_demo_goes_from_nothing_to_decided_drafts_and_counted_kpis_and_leaves_nothing_running(home: Path) -> None:
    done = threads_agent(home, "demo", "--once", "--requests", "2", timeout_s=DEMO_TIMEOUT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    views = max(count for (_, kind), count in totals_of(find_history(home)).items() if kind == "view")  # of a persona
    for part in ("ready after", "Requests: 2, of which refused: 0, undecided: 0", "Where to look next", f"{views:,}"):
        assert part in done.stdout
    status = threads_agent(home, "status", "--json", timeout_s=COMMAND_TIMEOUT_S)
    assert json.loads(status.stdout) == []
