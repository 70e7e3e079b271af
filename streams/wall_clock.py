"""The wall clock, at the precision that events carry; logic takes a clock as an argument and tests give it another."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ClockMs = Callable[[], int]
"""Returns the present time in milliseconds since the epoch, UTC."""


def now_ms() -> int:
    """Return the present time in milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


def utc_now() -> datetime:
    """Return the present time in UTC, to the millisecond as Avro timestamps hold it."""
    return _EPOCH + timedelta(milliseconds=now_ms())
