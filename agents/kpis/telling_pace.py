"""The pace of telling: when many personas change at once, each is told less often, and events are counted on."""

from __future__ import annotations

AT_ONCE = 100  # personas in one flush that cost no wait: low latency at low load
PERSONAS_PER_S = 2_000  # beyond those: each costs five updates to form, to encode and to append
LONGEST_WAIT_MS = 5_000


class TellingPace:
    """Bound how many personas are told in a second; times are epoch milliseconds of a clock that may step back.

    What is not told yet is told with what comes until then: the last counts are always told, at most
    `LONGEST_WAIT_MS` late.
    """

    def __init__(self) -> None:
        self._told_ms = 0
        self._wait_ms = 0

    def due(self, now_ms: int) -> bool:
        """Tell whether personas that have changed may be told now."""
        return not 0 <= now_ms - self._told_ms < self._wait_ms

    def told(self, personas: int, now_ms: int) -> None:
        """Note that so many personas were told."""
        self._told_ms = now_ms
        self._wait_ms = min(max(personas - AT_ONCE, 0) * 1_000 // PERSONAS_PER_S, LONGEST_WAIT_MS)
