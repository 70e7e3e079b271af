"""What all parts of the simulator share: its truth, its settings, its clock, and how moments are written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from agents.simulator.graph_errors import parameter
from agents.simulator.settings import SimulatorSettings
from agents.simulator.truth import Truth
from streams.wall_clock import ClockMs

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
FAR_MS = 2**62  # later than anything, and a number that SQLite takes
Params = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class World:
    """The truth, the settings and the clock (milliseconds since the epoch) of one simulator."""

    truth: Truth
    settings: SimulatorSettings
    now_ms: ClockMs

    def chance(self, *cause: str) -> float:
        """Return a number in [0, 1) that follows from the seed and a cause."""
        text = "\x1f".join((str(self.settings.simulator_seed), *cause))
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest()) / 2**56


def graph_time(at_ms: int) -> str:
    """Return a moment as the platform writes it, to the second: 2026-11-27T09:00:00+0000."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")


def exact_time(at_ms: int) -> str:
    """Return a moment in ISO 8601, to the millisecond."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def moment_ms(params: Params, name: str) -> int | None:
    """Return a moment that a call names in seconds since the epoch or as a date; None where it names none.

    Raises:
        GraphError: it is neither.
    """
    text = params.get(name)
    if not text:
        return None
    try:
        if text.lstrip("-").isdigit():
            return max(-FAR_MS, min(int(text) * 1000, FAR_MS))
        found = datetime.fromisoformat(text)
        return int(found.replace(tzinfo=found.tzinfo or UTC).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise parameter(f"Param {name} must be a timestamp or a date") from error


def flag(params: Params, name: str) -> bool:
    """Return whether a call says true."""
    return params.get(name, "").lower() in ("true", "1")
