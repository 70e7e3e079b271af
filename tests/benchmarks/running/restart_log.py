"""What a worker's log tells of its restart: when it ran, what it restored, and how long each part took."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

RUNNING = re.compile(r" Running \S")
RESTORED = re.compile(r" Restored TopicPartition\(topic='(?P<topic>[^']+)'.*: (?P<changes>\d+) changes read, ")
TIME_LENGTH = len("2026-01-01 00:00:00,000")


@dataclass(frozen=True, slots=True)
class RestartLog:
    """Seconds from the start of the process, None where the log does not say; `changes` are those read by restores.

    `running_s` is when the worker had its consumers, `restored_s` when the last partition's local store was up to date.
    """

    running_s: float | None
    restored_s: float | None
    changes: int

    @classmethod
    def of(cls, lines: Sequence[str], started_at: float) -> RestartLog:
        """Read the lines that a worker wrote since it was started at a time (seconds since the epoch)."""
        running = [_seconds(line, started_at) for line in lines if RUNNING.search(line)]
        restored = [(line, found) for line in lines if (found := RESTORED.search(line))]
        return cls(
            running_s=running[0] if running else None,
            restored_s=max((_seconds(line, started_at) for line, _ in restored), default=None),
            changes=sum(int(found["changes"]) for _, found in restored),
        )


def _seconds(line: str, started_at: float) -> float:
    """Return the time of a line as logging writes it, in the zone of this machine."""
    at = datetime.strptime(line[:TIME_LENGTH], "%Y-%m-%d %H:%M:%S,%f").astimezone()
    return round(at.timestamp() - started_at, 2)
