"""Process marks: which process a pid meant when it was written down."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

CLOCK_TOLERANCE_S = 2.0  # a process's start time is derived from the boot time, which clock adjustments move


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
