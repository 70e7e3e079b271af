"""What `status` says of the processes of a home."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams.cli.main import main
from streams.embedded.state_file import ChildStatus, StackState, write_state
from streams.process_mark import mark
from streams.running_workers import announced
from tests.support.scripted_registry import Said, Script, serving

WHY = "sink-postgres: it ended 6 times in a row"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose supervisor and workers are this process."""
    me = mark(os.getpid())
    assert me is not None
    children = [ChildStatus("worker", role, "", "running", 0, me) for role in ("kpis", "sink-postgres")]
    write_state(tmp_path, StackState(me, "running", "running", (), tuple(children)))
    monkeypatch.setenv("THREADS_HOME", str(tmp_path))
    return tmp_path


def test_a_role_that_its_worker_gave_up_is_failing_and_the_reason_is_told(home: Path) -> None:
    with announced(home, ["kpis"], "http://127.0.0.1:1/metrics", {"sink-postgres": WHY}):
        table = CliRunner().invoke(main, ["status"])
        listed = CliRunner().invoke(main, ["status", "--json"])
    assert (table.exit_code, listed.exit_code) == (1, 1)
    assert f"sink-postgres is failing: {WHY}" in table.stdout
    states = {entry["role"]: entry["state"] for entry in json.loads(listed.stdout)}
    assert states == {"kpis": "running", "sink-postgres": "failing"}


def test_all_is_well_where_no_worker_gave_a_role_up(home: Path) -> None:
    with announced(home, ["kpis", "sink-postgres"], "http://127.0.0.1:1/metrics"):
        assert CliRunner().invoke(main, ["status"]).exit_code == 0


def test_a_role_that_is_stopped_at_a_record_says_where_and_what_to_do(home: Path) -> None:
    why = "kpis/aggregate some.topic/0 stopped at offset 7: no event; let it pass: threads-agent dead-letters pass"
    stage = {"role": "kpis", "stage": "aggregate", "state": "stopped", "reason": why}
    script = Script({"/readyz": Said(503, {"status": "not ready", "reasons": [why], "stages": [stage]})})
    with serving(script) as url, announced(home, ["kpis", "sink-postgres"], f"{url}/metrics"):
        table = CliRunner().invoke(main, ["status"])
        listed = CliRunner().invoke(main, ["status", "--json"])
    assert (table.exit_code, listed.exit_code) == (1, 1)
    assert "some.topic/0 stopped at offset 7" in " ".join(table.stdout.split())
    states = {entry["role"]: entry["state"] for entry in json.loads(listed.stdout)}
    assert states == {"kpis": "stopped", "sink-postgres": "running"}
