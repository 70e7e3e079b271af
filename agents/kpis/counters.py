"""The counters behind the KPIs: what each event adds to them, and what a range of a source partition adds. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from agents.kpis.tables.counter_table import post_key_column
from agents.kpis.windows import GRANULARITIES, HOUR_MS, MINUTE_MS, Granularity, oldest_kept_pane, oldest_pane
from schemas.engagement import COUNTER_OF, POST_COUNTERS

COUNTERS: tuple[str, ...] = (
    *COUNTER_OF.values(),
    "posts", "cost_micros", "unpriced_calls",
    "revenue_micros", "one_off_revenue_micros", "recurring_revenue_micros", "late_events",
)  # fmt: skip
"""Counters of a persona and pane, all additive, first those of a post; the names are those of KpiUpdate.

State and partials hold their numbers: a new one goes to the end.
"""

NUMBER: Mapping[str, int] = {name: number for number, name in enumerate(COUNTERS)}

_ONE_OFF = ("affiliate", "lead", "sale")
_NO_POST = pl.lit(None, dtype=pl.String).alias("post_id")

Contributions = pl.DataFrame
"""Columns persona_id, post_id (null where none), occurred_at (ms), offset, counter (number in COUNTERS), amount."""


def contributions(topic: str, frame: pl.DataFrame) -> Contributions:
    """Return what the events of a topic add to which counters, a row for each event and counter.

    Raises:
        KeyError: the topic adds to no counter.
    """
    return _OF_TOPIC[topic](frame)


def _engagement(frame: pl.DataFrame) -> Contributions:
    numbers = [NUMBER[counter] for counter in COUNTER_OF.values()]
    counter = pl.col("kind").replace_strict(list(COUNTER_OF), numbers, return_dtype=pl.UInt8)
    return frame.select(
        "persona_id", "post_id", "occurred_at", "offset", counter.alias("counter"), pl.col("count").alias("amount")
    )


def _cost(frame: pl.DataFrame) -> Contributions:
    cost = pl.col("cost_micros")
    priced = _part(frame.filter(cost.is_not_null()), "cost_micros", cost)
    return pl.concat([priced, _part(frame.filter(cost.is_null()), "unpriced_calls", pl.lit(1, dtype=pl.Int64))])


def _revenue(frame: pl.DataFrame) -> Contributions:
    kind, amount = pl.col("kind"), pl.col("amount_micros")
    level = pl.when(kind == "subscription_started").then(amount).otherwise(-amount)
    parts = [
        _part(frame.filter(kind.is_in([*_ONE_OFF, "subscription_payment"])), "revenue_micros", amount),
        _part(frame.filter(kind.is_in(_ONE_OFF)), "one_off_revenue_micros", amount),
        _part(
            frame.filter(kind.is_in(["subscription_started", "subscription_ended"])), "recurring_revenue_micros", level
        ),
    ]
    return pl.concat(parts)


def _posts(frame: pl.DataFrame) -> Contributions:
    return _part(frame, "posts", pl.lit(1, dtype=pl.Int64))


def _part(frame: pl.DataFrame, counter: str, amount: pl.Expr) -> Contributions:
    number = pl.lit(NUMBER[counter], dtype=pl.UInt8).alias("counter")
    return frame.select("persona_id", _NO_POST, "occurred_at", "offset", number, amount.alias("amount"))


_OF_TOPIC = {
    "engagement.events": _engagement,
    "cost.events": _cost,
    "revenue.events": _revenue,
    "posts.published": _posts,
}

SOURCE_TOPICS: tuple[str, ...] = tuple(_OF_TOPIC)
"""Topics whose events move counters."""


FIRST_REVENUE = len(COUNTERS)
"""Counter number of the time of the first one-off revenue (ms, at least 1): merged as the least, not as a sum."""

PaneCounts = pl.DataFrame
"""Columns persona_id, granularity (its number, UInt8), pane, counter (number, UInt8), amount; each cell once."""

PostCounts = pl.DataFrame
"""Columns persona_id, key (text of a PostKey), counter (number, UInt8), amount; each cell once."""

_AMOUNT = pl.col("amount").sum()


@dataclass(frozen=True, slots=True)
class SourceCounts:
    """What a range adds to panes and to posts."""

    panes: PaneCounts
    posts: PostCounts


def count(events: Contributions, now_ms: int) -> SourceCounts:
    """Sum contributions by persona and pane, and by post.

    Events in the longest rolling window count in hour panes, those of the last day in minute panes too, both with the
    margin of RETENTION_MS: the clock may be ahead, and the merge takes of its panes what its windows hold. Events older
    than the longest window are late: they move no rolling window, and count as late_events.
    """
    hours = _grouped(events, pl.col("occurred_at") // HOUR_MS)
    kept = hours.filter(pl.col("pane") >= oldest_kept_pane("hour", now_ms))
    recent = events.filter(pl.col("occurred_at") // MINUTE_MS >= oldest_kept_pane("minute", now_ms))
    minutes = _grouped(recent, pl.col("occurred_at") // MINUTE_MS)
    sums = hours.group_by("persona_id", "counter").agg(_AMOUNT)
    lifetime = pl.concat([sums, *_late(events, now_ms), *_first_revenue(events)], how="diagonal")
    whole = lifetime.with_columns(pane=pl.lit(0, dtype=pl.Int64))
    parts = [_panes(minutes, "minute"), _panes(kept, "hour"), _panes(whole, "lifetime")]
    return SourceCounts(pl.concat(parts), _by_post(events))


def _grouped(events: Contributions, pane: pl.Expr) -> pl.DataFrame:
    return events.group_by("persona_id", pane.alias("pane"), "counter").agg(_AMOUNT)


def _panes(counts: pl.DataFrame, granularity: Granularity) -> PaneCounts:
    number = pl.lit(GRANULARITIES.index(granularity), dtype=pl.UInt8).alias("granularity")
    return counts.select("persona_id", number, "pane", "counter", "amount")


def _late(events: Contributions, now_ms: int) -> Iterator[pl.DataFrame]:
    late = events["occurred_at"].to_numpy() // HOUR_MS < oldest_pane("hour", now_ms)
    if late.any():
        amount = pl.len().cast(pl.Int64).alias("amount")
        counts = events.filter(late).unique("offset").group_by("persona_id").agg(amount)
        yield counts.with_columns(_number(NUMBER["late_events"]))


def _first_revenue(events: Contributions) -> Iterator[pl.DataFrame]:
    if not (events["counter"].to_numpy() == NUMBER["one_off_revenue_micros"]).any():
        return
    revenue = events.filter(pl.col("counter") == NUMBER["one_off_revenue_micros"])
    first = revenue.group_by("persona_id").agg(pl.col("occurred_at").min().clip(lower_bound=1).alias("amount"))
    yield first.with_columns(_number(FIRST_REVENUE))


def _number(counter: int) -> pl.Expr:
    return pl.lit(counter, dtype=pl.UInt8).alias("counter")


def _by_post(events: Contributions) -> PostCounts:
    of_posts = events.filter(pl.col("post_id").is_not_null(), pl.col("counter") < len(POST_COUNTERS))
    counts = of_posts.group_by("persona_id", "post_id", "counter").agg(_AMOUNT)
    return counts.select("persona_id", post_key_column().alias("key"), "counter", "amount")
