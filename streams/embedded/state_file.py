"""The supervisor's state on disk: what runs in a home, as `status`, a second `up` and the next start read it."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import psutil

FILE_NAME = "supervisor.json"
CLOCK_TOLERANCE_S = 2.0  # a process's start time is derived from the boot time, which clock adjustments move

Kind = Literal["server", "worker"]
ChildState = Literal["starting", "running", "restarting", "stopped"]
Phase = Literal["starting", "running", "stopping", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """What identifies a process beyond its pid, which the system reuses. `started` is in seconds since the epoch."""

    pid: int
    started: float
    command: tuple[str, ...]

    def find(self) -> psutil.Process | None:
        """Return the process if it still is this one."""
        try:
            process = psutil.Process(self.pid)
            same_start = abs(process.create_time() - self.started) < CLOCK_TOLERANCE_S
            is_same = same_start and tuple(process.cmdline()) == self.command
            return process if is_same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


def mark(pid: int) -> ProcessMark | None:
    """Return the mark of a process, None when it is gone."""
    try:
        process = psutil.Process(pid)
        return ProcessMark(pid, process.create_time(), tuple(process.cmdline()))
    except psutil.Error:
        return None


@dataclass(frozen=True, slots=True)
class ChildStatus:
    """One server or worker; `process` is None while it waits for its restart."""

    kind: Kind
    role: str
    address: str
    state: ChildState
    restarts: int
    process: ProcessMark | None


@dataclass(frozen=True, slots=True)
class StackState:
    """The supervisor and its children; `message` says what it does or why it failed, `remarks` what it left out."""

    supervisor: ProcessMark
    phase: Phase
    message: str
    remarks: tuple[str, ...]
    children: tuple[ChildStatus, ...]


def write_state(home: Path, state: StackState) -> None:
    """Replace the state file in one step."""
    handle, temporary = tempfile.mkstemp(dir=home, prefix=FILE_NAME)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(state), file)
    Path(temporary).replace(home / FILE_NAME)


def _mark_from(found: dict[str, object] | None) -> ProcessMark | None:
    if found is None:
        return None
    pid, started, command = found["pid"], found["started"], found["command"]
    assert isinstance(pid, int)
    assert isinstance(started, int | float)
    assert isinstance(command, list)
    return ProcessMark(pid, float(started), tuple(command))


def read_state(home: Path) -> StackState | None:
    """Return the last state written, None where there is none that can be read."""
    try:
        found = json.loads((home / FILE_NAME).read_text(encoding="utf-8"))
        supervisor = _mark_from(found["supervisor"])
        remarks = tuple(found["remarks"])
        children = tuple(
            ChildStatus(**{**child, "process": _mark_from(child["process"])}) for child in found["children"]
        )
    except (OSError, ValueError, KeyError, TypeError, AssertionError):
        return None  # never written, or by another version: nothing of ours can be told from it
    if supervisor is None:
        return None
    return StackState(supervisor, found["phase"], found["message"], remarks, children)
