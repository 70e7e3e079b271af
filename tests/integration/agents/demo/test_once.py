from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from agents.demo.history import find_history, totals_of
from tests.support.operator_home import COMMAND_TIMEOUT_S, Home

DEMO_TIMEOUT_S = 280.0


@pytest.fixture
def home() -> Iterator[Path]:
    with TemporaryDirectory(prefix="demo home ", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # as root PostgreSQL runs as nobody, who must be able to enter
        yield Path(folder)


@pytest.mark.timeout(DEMO_TIMEOUT_S + 2 * COMMAND_TIMEOUT_S)
def test_the_demo_goes_from_nothing_to_decided_drafts_and_counted_kpis_and_leaves_nothing_running(home: Path) -> None:
    operator = Home(home)
    told = operator.told("demo", "--once", "--requests", "2", timeout_s=DEMO_TIMEOUT_S)
    views = max(count for (_, kind), count in totals_of(find_history(home)).items() if kind == "view")  # of a persona
    for part in (
        "ready after",
        "live page: http://127.0.0.1:",
        "Live page: http://127.0.0.1:",
        "Requests: 2, of which refused: 0, undecided: 0",
        "published at the simulator (simulated), 0 on the way",
        "Where to look next",
        f"{views:,}",
    ):
        assert part in told
    assert operator.status() == {}
