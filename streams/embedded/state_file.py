"""The supervisor's state on disk: what runs in a home, as `status`, a second `up` and the next start read it."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from streams.process_mark import ProcessMark

FILE_NAME = "supervisor.json"

Kind = Literal["server", "worker"]
ChildState = Literal["starting", "running", "restarting", "failing", "stopped"]
Phase = Literal["starting", "running", "stopping", "stopped", "failed"]


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
