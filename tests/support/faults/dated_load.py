"""Engagement of all ages, around the edge of every window, and a naive count of it for any moment."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import UUID

from schemas.engagement import COUNTER_OF
from schemas.records import EngagementEvent, EngagementKind
from tests.support.faults.told_counts import CountsByWindow

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

PANES = {"1h": (60, MINUTE_MS), "24h": (24 * 60, MINUTE_MS), "7d": (7 * 24, HOUR_MS), "30d": (30 * 24, HOUR_MS)}
"""By window: how many panes it has, and their length; the current pane is the last."""

AGES_MS = (
    (0, 2 * HOUR_MS),
    (20 * HOUR_MS, 26 * HOUR_MS),
    (6 * DAY_MS, 8 * DAY_MS),
    (25 * DAY_MS, 29 * DAY_MS),  # not up to 30 days: which are late there depends on the clock when they are counted,
    (36 * DAY_MS, 400 * DAY_MS),  # and so does what is less than 34 days old while the clock is 3 days behind
)
NOTHING_FORGOTTEN: Mapping[str, int] = {}
KINDS = get_args(EngagementKind)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def dated_events(name: str, count: int) -> list[EngagementEvent]:
    """Make events of ten personas, as many of each range of ages; `name` is their seed."""
    random_ = random.Random(name)
    now = datetime.now(UTC)
    return [
        EngagementEvent(
            event_id=str(UUID(int=random_.getrandbits(128))),
            occurred_at=now - timedelta(milliseconds=random_.randrange(*random_.choice(AGES_MS))),
            persona_id=f"persona-{name}-{random_.randrange(10)}",
            post_id=f"post-{random_.randrange(50)}",
            kind=random_.choice(KINDS),
            count=random_.randrange(1, 9),
        )
        for _ in range(count)
    ]


def counted(
    events: Sequence[EngagementEvent], at_ms: int, forgotten_ms: Mapping[str, int] = NOTHING_FORGOTTEN
) -> CountsByWindow:
    """Count what each window shows at a moment; late is what is older than 30 days, and stays so.

    `forgotten_ms` names for some windows the moment before which they know of no event.
    """
    counts: CountsByWindow = {window: {} for window in (*PANES, "lifetime")}
    for event in events:
        for window, of_personas in counts.items():
            of_persona = of_personas.setdefault(event.persona_id, Counter())
            is_known = occurred_ms(event) >= forgotten_ms.get(window, 0)
            if window == "lifetime" or (is_known and is_inside(event, window, at_ms)):
                of_persona[COUNTER_OF[event.kind]] += event.count
        if at_ms - occurred_ms(event) > 31 * DAY_MS:
            counts["lifetime"][event.persona_id]["late_events"] += 1
    return counts


def is_inside(event: EngagementEvent, window: str, at_ms: int) -> bool:
    panes, pane_ms = PANES[window]
    return 0 <= at_ms // pane_ms - occurred_ms(event) // pane_ms < panes


def occurred_ms(event: EngagementEvent) -> int:
    return int(event.occurred_at.timestamp() * 1000)
