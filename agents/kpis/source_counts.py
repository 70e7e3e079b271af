"""What a source partition adds: ranges of offsets that count once, and their counts by pane and by post. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from agents.kpis.counters import COUNTERS, NUMBER, Contributions
from agents.kpis.tables.keys import post_key_column
from agents.kpis.windows import GRANULARITIES, HOUR_MS, MINUTE_MS, Granularity, oldest_kept_pane, oldest_pane
from schemas.engagement import POST_COUNTERS


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """Offsets from `start` up to, not including, `end`."""

    start: int
    end: int


class Boundaries:
    """Where earlier ranges ended that may have reached some merge partitions and not others.

    A partial covers a range and counts in a merge partition if its end lies behind all that partition has. After a
    crash, ranges are cut anew, wherever slices and checkpoints fall; as long as none reaches across an earlier end,
    every merge partition has either all of a new range already or none of it. So ends are written to the changelog
    before partials go out, and kept until the range that starts behind them is counted.
    """

    def __init__(self, ends: Iterable[int] = ()) -> None:
        self._ends = sorted(set(ends))

    def cut(self, start: int, end: int) -> list[OffsetRange]:
        """Cut offsets from `start` up to `end` so that no range reaches across an earlier end."""
        cuts = [start, *(earlier for earlier in self._ends if start < earlier < end), end]
        return [OffsetRange(*pair) for pair in pairwise(cuts)]

    def extended(self, ranges: Sequence[OffsetRange]) -> Boundaries:
        """Return the ends to remember while these ranges go out: theirs, and earlier ones behind the first start."""
        kept = (end for end in self._ends if end > ranges[0].start)
        return Boundaries([*kept, *(each.end for each in ranges)])

    def encoded(self) -> bytes:
        return struct.pack(f"<{len(self._ends)}q", *self._ends)

    @classmethod
    def decoded(cls, value: bytes) -> Boundaries:
        return cls(struct.unpack(f"<{len(value) // 8}q", value))


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
    return SourceCounts(pl.concat(parts), _posts(events))


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


def _posts(events: Contributions) -> PostCounts:
    of_posts = events.filter(pl.col("post_id").is_not_null(), pl.col("counter") < len(POST_COUNTERS))
    counts = of_posts.group_by("persona_id", "post_id", "counter").agg(_AMOUNT)
    return counts.select("persona_id", post_key_column().alias("key"), "counter", "amount")
