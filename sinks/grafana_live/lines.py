"""KPI updates as lines of Influx's protocol, which Grafana Live takes.

https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/ has the syntax. Neither a line feed nor a
backslash at the end can be written in a tag, so control characters and backslashes stand there as their pictures.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from schemas.engagement import POST_COUNTERS
from schemas.records import KpiUpdate

MEASUREMENT = "kpi"  # with the window behind it: a channel of its own for each
NANOSECONDS = 1_000
MICROS_PER_DOLLAR = 1_000_000
COUNTS = (*POST_COUNTERS, "account_growth", "engagements", "posts", "unpriced_calls", "late_events")
RATIOS = ("engagement_rate", "cost_per_follow_dollars", "cost_per_account_growth_dollars")
MONEY = ("cost_micros", "revenue_micros", "revenue_projection_monthly_micros")
_CHANNEL = re.compile(r"[A-Za-z0-9_-]+")
_PICTURES = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421, ord("\\"): 0x2216}
_ESCAPES = str.maketrans({each: f"\\{each}" for each in ", ="})
_EPOCH = datetime.fromtimestamp(0, UTC)


def has_channel(update: KpiUpdate) -> bool:
    """Tell whether Grafana can name a channel by the update's window."""
    return _CHANNEL.fullmatch(update.window) is not None


def line(update: KpiUpdate) -> str:
    """Return an update as a line: by persona, at the instant that its window was taken at, money in dollars."""
    fields = ",".join(f"{name}={value}" for name, value in _fields(update))
    at = (update.window_end - _EPOCH) // timedelta(microseconds=1) * NANOSECONDS
    return f"{MEASUREMENT}_{update.window},persona_id={_tag(update.persona_id)} {fields} {at}"


def _tag(text: str) -> str:
    return text.translate(_PICTURES).translate(_ESCAPES)


def _fields(update: KpiUpdate) -> Iterator[tuple[str, str]]:
    """Yield what is known; a ratio without a denominator is no field."""
    for name in COUNTS:
        yield name, f"{getattr(update, name)}i"
    if update.viral_posts is not None:
        yield "viral_posts", f"{update.viral_posts}i"
    for name in RATIOS:
        ratio = getattr(update, name)
        if ratio is not None and math.isfinite(ratio):
            yield name, repr(float(ratio))
    for name in MONEY:
        micros = getattr(update, name)
        if micros is not None:
            yield f"{name.removesuffix('_micros')}_dollars", repr(micros / MICROS_PER_DOLLAR)
