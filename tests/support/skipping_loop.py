"""An event loop that skips waits: when nothing happens on its sockets, its clock jumps to the next timer.

Both ends of a loopback connection must run on it; then hours of back-off pass in milliseconds, in the right order.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Mapping
from typing import Any

QUIET_S = 0.02  # real time without a word on any socket, on a busy machine too: nobody on this loop has anything to say


class _SkippingSelector(selectors.DefaultSelector):
    """Select as usual, but wait a moment only, and count what was not waited."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= QUIET_S:
            return super().select(timeout)
        events: list[tuple[selectors.SelectorKey, int]] = super().select(QUIET_S)
        if not events:
            self.skipped_s += timeout - QUIET_S
        return events


class SkippingLoop(asyncio.SelectorEventLoop):
    """The loop; `time` is its own clock. What its code raises where nobody awaits it is kept in `unheard`."""

    def __init__(self) -> None:
        self._skipping = _SkippingSelector()
        self.unheard: list[Mapping[str, Any]] = []
        super().__init__(self._skipping)
        self.set_exception_handler(lambda _, context: self.unheard.append(context))

    def time(self) -> float:
        return time.monotonic() + self._skipping.skipped_s
