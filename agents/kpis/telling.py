"""Telling: how often personas are told of, which of their windows have news, and the updates that tell them."""

from __future__ import annotations

import numpy as np

from agents.kpis.counters import COUNTERS
from agents.kpis.formulas import cost_per_follow_dollars, engagement_rate, revenue_projection_micros
from agents.kpis.persona_counters import WindowCounts
from agents.kpis.tables.counter_table import Bools, Ints, grown
from schemas.codec.column_encoder import Column, Constant
from schemas.engagement import ENGAGING_COUNTERS
from streams.engine.stage import OutputColumns
from streams.identity import derived_id

TOPIC = "kpi.updates"
PROJECTION_WINDOW = "30d"


def projections(counted: WindowCounts, now_ms: int) -> list[int | None]:
    """Return the monthly revenue projection of each persona, None for windows it does not follow from."""
    if counted.window.name != PROJECTION_WINDOW:
        return [None] * len(counted.personas)
    one_off = counted.counts[:, COUNTERS.index("one_off_revenue_micros")].tolist()
    levels = zip(one_off, counted.recurring_micros.tolist(), counted.first_revenue_ms.tolist(), strict=True)
    return [revenue_projection_micros(amount, recurring, first or None, now_ms) for amount, recurring, first in levels]


def kpi_updates(counted: WindowCounts, projected: list[int | None], now_ms: int) -> OutputColumns:
    """Return the updates of personas in one window as of `now_ms`."""
    counts = dict(zip(COUNTERS, counted.counts.T.tolist(), strict=True))
    engagements = [sum(each) for each in zip(*(counts[name] for name in ENGAGING_COUNTERS), strict=True)]
    costs, window, now = counts["cost_micros"], counted.window.name, str(now_ms)
    columns: dict[str, Column] = {
        "event_id": [derived_id(persona, window, now) for persona in counted.personas],
        "occurred_at": Constant(now_ms),
        "persona_id": counted.personas,
        "window": Constant(window),
        "window_start": Constant(counted.window.start_ms(now_ms)),
        "window_end": Constant(now_ms),
        "engagements": engagements,
        "engagement_rate": list(map(engagement_rate, engagements, counts["views"])),
        "cost_per_follow_dollars": list(map(cost_per_follow_dollars, costs, counts["follows"])),
        "cost_per_account_growth_dollars": list(map(cost_per_follow_dollars, costs, counts["account_growth"])),
        "revenue_projection_monthly_micros": projected,
        "viral_posts": Constant(None) if counted.viral_posts is None else counted.viral_posts.tolist(),
        **counts,
    }
    return OutputColumns(TOPIC, columns)


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


class ToldWindow:
    """The facts last told of each persona in one window."""

    def __init__(self, width: int) -> None:
        self._facts: Ints = np.zeros((0, width), dtype=np.int64)  # by persona number
        self._told: Bools = np.zeros(0, dtype=np.bool_)

    def news(self, personas: Ints, facts: Ints) -> Bools:
        """Return which personas' facts are not those last told, and take them as told; facts (personas, width)."""
        most = int(personas.max(initial=-1)) + 1
        self._facts, self._told = grown(self._facts, most), grown(self._told, most)
        new: Bools = ~self._told[personas] | (self._facts[personas] != facts).any(axis=1)
        self._facts[personas], self._told[personas] = facts, True
        return new
