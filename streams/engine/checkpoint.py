"""When a checkpoint is due: by time, records or bytes, at a bounded share of the time."""

from __future__ import annotations

from dataclasses import dataclass

from streams.engine.batch import TopicPartition
from streams.engine.slices import Slice
from streams.settings import Settings

FRESH_S = 1.0  # a worker whose records are younger keeps up, although a few always wait behind the last


@dataclass(frozen=True, slots=True)
class CheckpointLimits:
    """Bounds between two checkpoints; times in seconds.

    The interval is `interval_s` while the worker keeps up: low latency at low load. While more waits on the broker, and
    what comes is older than `FRESH_S`, it stretches up to `max_interval_s`, so that a checkpoint that took d seconds is
    at least d / `share` after the last.
    """

    interval_s: float
    max_interval_s: float
    share: float
    max_records: int
    max_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> CheckpointLimits:
        return cls(
            settings.checkpoint_interval_s,
            settings.checkpoint_max_interval_s,
            settings.checkpoint_share,
            settings.checkpoint_max_records,
            settings.checkpoint_max_bytes,
        )


class CheckpointClock:
    """Track what was folded since the last checkpoint; times are those of one monotonic clock, in seconds."""

    def __init__(self, limits: CheckpointLimits) -> None:
        self._limits = limits
        self._finished_at = float("-inf")
        self._stretched_s = limits.interval_s
        self._behind: dict[TopicPartition, int] = {}  # of each partition's last slice since the checkpoint; 0: fresh
        self._records = 0
        self._bytes = 0

    @property
    def interval_s(self) -> float:
        """Return the interval in force."""
        return self._stretched_s if any(self._behind.values()) else self._limits.interval_s

    def folded(self, piece: Slice, behind: int, age_s: float) -> None:
        """Note a slice, how many offsets of its partition wait behind it, and how long ago its last was appended."""
        self._records += len(piece.records)
        self._bytes += piece.size_bytes
        self._behind[piece.source] = behind if age_s > FRESH_S else 0

    def due(self, now: float) -> bool:
        """Tell whether what is folded should be made durable now."""
        if self._records >= self._limits.max_records or self._bytes >= self._limits.max_bytes:
            return True
        return now - self._finished_at >= self.interval_s

    def finished(self, started_at: float, now: float) -> None:
        """Note a checkpoint's duration, and set the interval to the next."""
        wanted = (now - started_at) / self._limits.share
        self._stretched_s = min(
            max(wanted, self._limits.interval_s), max(self._limits.max_interval_s, self._limits.interval_s)
        )
        self._finished_at = now
        self._records = self._bytes = 0
        self._behind.clear()
