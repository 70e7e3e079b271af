"""The counters behind the KPIs, and what each event adds to them."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from schemas.engagement import COUNTER_OF

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
