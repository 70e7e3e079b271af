"""The counters of one source partition: events in, changed rows out. Pure; the clock is the caller's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from agents.kpis.counter_table import CounterTable, Rows
from agents.kpis.counters import COUNTERS, NUMBER, POST_COUNTERS, Contributions
from agents.kpis.keys import PaneKey, pane_key_column, post_key_column
from agents.kpis.windows import HOUR_MS, MINUTE_MS, PANE_MS, RETENTION_MS, Granularity, oldest_hour, oldest_minute

FIRST_REVENUE = len(COUNTERS)
"""Column of persona rows behind the counters: time of the first one-off revenue (ms), 0 for none; merged as the least."""

PERSONA_WIDTH = len(COUNTERS) + 1
POST_WIDTH = len(POST_COUNTERS)

_AMOUNTS = pl.col("amount").sum()


@dataclass(frozen=True, slots=True)
class Changed:
    """Rows that changed: their keys, and their numbers in the table."""

    keys: Sequence[str]
    rows: Rows


@dataclass(frozen=True, slots=True)
class SourceChanges:
    """What a fold changed."""

    panes: Changed
    posts: Changed


class SourceCounters:
    """Fold the contributions of one source partition into panes by persona and counters by post.

    Rows are stamped with the offset they are applied up to. Contributions at or below a row's stamp are skipped for
    that row: after a crash some rows may be ahead of the committed offset, and events come again.
    """

    def __init__(self) -> None:
        self.panes = CounterTable(PERSONA_WIDTH)
        self.posts = CounterTable(POST_WIDTH)
        self._restored_up_to = -1
        self._expired_at_minute = 0

    def load(self, panes: Sequence[tuple[str, bytes]], posts: Sequence[tuple[str, bytes]]) -> None:
        """Take over restored rows."""
        for table, items in ((self.panes, panes), (self.posts, posts)):
            table.load(items)
            if items:
                stamps = table.stamps(table.rows(key for key, _ in items))
                self._restored_up_to = max(self._restored_up_to, int(stamps.max()))

    def fold(self, events: Contributions, last_offset: int, now_ms: int) -> SourceChanges:
        """Add contributions that end at `last_offset` and return the rows that changed."""
        replayed = bool((events["offset"] <= self._restored_up_to).any())
        panes = self._fold_panes(events, last_offset, now_ms, replayed=replayed)
        of_posts = events.filter(pl.col("post_id").is_not_null(), pl.col("counter") < POST_WIDTH)
        posts = _keyed(of_posts, ["persona_id", "post_id"], post_key_column(), replayed=replayed)
        return SourceChanges(panes, self._fold_into(self.posts, posts, last_offset, replayed=replayed))

    def _fold_panes(self, events: Contributions, last_offset: int, now_ms: int, *, replayed: bool) -> Changed:
        hour = pl.col("occurred_at") // HOUR_MS
        minute = pl.col("occurred_at") // MINUTE_MS
        of: dict[Granularity, pl.DataFrame] = {
            "minute": events.filter(minute >= oldest_minute(now_ms)).with_columns(pane=minute),
            "hour": events.filter(hour >= oldest_hour(now_ms)).with_columns(pane=hour),
            "lifetime": _with_late(events, now_ms).with_columns(pane=pl.lit(0, dtype=pl.Int64)),
        }
        parts = []
        for granularity, of_granularity in of.items():
            keyed = _keyed(of_granularity, ["persona_id", "pane"], pane_key_column(granularity), replayed=replayed)
            parts.append(self._fold_into(self.panes, keyed, last_offset, replayed=replayed))
            if granularity == "lifetime":
                self._note_first_revenue(keyed)
        return Changed([key for part in parts for key in part.keys], np.concatenate([part.rows for part in parts]))

    def _fold_into(self, table: CounterTable, keyed: pl.DataFrame, last_offset: int, *, replayed: bool) -> Changed:
        keys = keyed["key"].unique()  # of a replay also those already applied: their partials may not have gone out
        rows = table.rows(keys.to_list())
        row = pl.DataFrame({"key": keys, "row": rows})
        if replayed:
            keyed = _beyond_stamps(table, row, keyed)
        sums = keyed.group_by("key", "counter").agg(_AMOUNTS).join(row, on="key", how="left")
        table.add(sums["row"].to_numpy(), sums["counter"].to_numpy(), sums["amount"].to_numpy())
        table.stamp(rows, last_offset)
        return Changed(keys.to_list(), rows)

    def _note_first_revenue(self, keyed: pl.DataFrame) -> None:
        revenue = keyed.filter(pl.col("counter") == NUMBER["one_off_revenue_micros"])
        for key, first_ms in revenue.group_by("key").agg(pl.col("occurred_at").min()).iter_rows():
            row = self.panes.rows([key])
            before = self.panes.counters(row)[0, FIRST_REVENUE]
            if before == 0 or first_ms < before:
                self.panes.add(row, np.array([FIRST_REVENUE]), np.array([first_ms - before]))

    def expire(self, now_ms: int) -> list[str]:
        """Delete panes that no window needs any more and return their keys; looked for once a minute."""
        if now_ms // MINUTE_MS == self._expired_at_minute:
            return []
        self._expired_at_minute = now_ms // MINUTE_MS
        keys = expired_keys(self.panes.keys(), now_ms)
        self.panes.delete(keys)
        return keys


def _keyed(events: Contributions, by: list[str], key: pl.Expr, *, replayed: bool) -> pl.DataFrame:
    """Return events with their state key; grouped before the keys are built, save where each offset still counts."""
    if replayed:
        return events.with_columns(key=key)
    grouped = events.group_by(*by, "counter").agg(_AMOUNTS, pl.col("occurred_at").min())
    return grouped.with_columns(key=key)


def expired_keys(keys: Iterable[str], now_ms: int) -> list[str]:
    """Return the keys of panes behind their retention."""
    oldest = {granularity: (now_ms - RETENTION_MS[granularity]) // PANE_MS[granularity] for granularity in PANE_MS}
    parsed = ((key, PaneKey.parse(key)) for key in keys)
    return [text for text, key in parsed if key.granularity != "lifetime" and key.pane < oldest[key.granularity]]


def _with_late(events: Contributions, now_ms: int) -> Contributions:
    late = events.filter(pl.col("occurred_at") // HOUR_MS < oldest_hour(now_ms))
    if late.is_empty():
        return events
    number, one = pl.lit(NUMBER["late_events"], dtype=pl.UInt8), pl.lit(1, dtype=pl.Int64)
    return pl.concat([events, late.unique("offset").with_columns(counter=number, amount=one)])


def _beyond_stamps(table: CounterTable, row: pl.DataFrame, keyed: pl.DataFrame) -> pl.DataFrame:
    stamps = row.select("key", stamp=pl.Series(table.stamps(row["row"].to_numpy())))
    return keyed.join(stamps, on="key", how="left").filter(pl.col("offset") > pl.col("stamp"))
