"""What is kept of processes on disk, and which of them are ended."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from streams.embedded.process import end_leftovers
from streams.embedded.state_file import FILE_NAME, ChildStatus, StackState, read_state, write_state
from streams.process_mark import mark


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as process:
        yield process
        process.kill()


def test_a_state_comes_back_as_it_was_written(tmp_path: Path) -> None:
    me = mark(os.getpid())
    assert me is not None
    children = (
        ChildStatus("server", "kafka", "127.0.0.1:1", "running", 0, me),
        ChildStatus("worker", "kpis", "", "restarting", 3, None),
    )
    state = StackState(me, "running", "running", ("left out",), children)
    write_state(tmp_path, state)
    assert read_state(tmp_path) == state


@pytest.mark.parametrize("content", ["", "{}", '{"supervisor": 1}', "[]", '{"supervisor": {"pid": "x"}}'])
def test_a_damaged_state_file_is_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE_NAME).write_text(content)
    assert read_state(tmp_path) is None


def test_a_left_over_process_is_ended(sleeper: subprocess.Popen[bytes]) -> None:
    left = mark(sleeper.pid)
    assert left is not None
    assert end_leftovers([left]) == [sleeper.pid]
    assert left.find() is None


def test_a_pid_that_another_program_has_by_now_is_left_alone(sleeper: subprocess.Popen[bytes]) -> None:
    now = mark(sleeper.pid)
    assert now is not None
    other_start = replace(now, started=now.started - 3600)
    other_command = replace(now, command=("postgres", "-D", "data"))
    assert end_leftovers([other_start, other_command]) == []
    assert sleeper.poll() is None
