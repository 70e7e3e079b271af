"""Partials: the counts of one range on their way to the partition that merges their personas, as Arrow IPC streams."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from agents.kpis.counters import PaneCounts, PostCounts, SourceCounts
from agents.kpis.tables.counter_table import PostKey
from schemas.records import KpiPartial
from streams.engine.batch import TopicPartition
from streams.engine.offset_ranges import OffsetRange, target_partition
from streams.identity import derived_id
from streams.kafka.hidden import Hidden

TOPIC = "kpi.partials"

Ints = NDArray[np.int64]
Columns = tuple[str, ...]

PANE_COLUMNS: Columns = ("persona_id", "granularity", "pane", "counter", "amount")
POST_COLUMNS: Columns = ("key", "counter", "amount")
"""Columns of a block; the first is text, as an Enum of what the block holds, the others are integers."""


class PartialWriter:
    """Write the counts of a range as one partial for each partition that merges a persona of it."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._target: dict[str, int] = {}

    def partials(
        self, source: TopicPartition, offsets: OffsetRange, counts: SourceCounts, now_ms: int
    ) -> list[tuple[int, KpiPartial]]:
        """Return (target partition, partial) pairs that together hold all counts."""
        panes = self._by_target(counts.panes, PANE_COLUMNS)
        posts = self._by_target(counts.posts, POST_COLUMNS)
        at = datetime.fromtimestamp(now_ms / 1000, UTC)
        return [
            (
                target,
                KpiPartial(
                    event_id=derived_id(source.topic, str(source.partition), str(target), str(offsets.end)),
                    occurred_at=at,
                    source_topic=source.topic,
                    source_partition=source.partition,
                    last_offset=offsets.end - 1,
                    panes=panes.get(target, b""),
                    posts=posts.get(target, b""),
                ),
            )
            for target in sorted(panes.keys() | posts.keys())
        ]

    def _by_target(self, counts: PaneCounts | PostCounts, columns: Columns) -> dict[int, bytes]:
        if counts.is_empty():
            return {}
        personas = counts["persona_id"].to_list()
        targets = pl.Series("target", list(map(self._targets_of(set(personas)).__getitem__, personas)))
        parts = counts.with_columns(targets).partition_by("target", as_dict=True, include_key=False)
        return {int(target): _to_ipc(part, columns) for (target,), part in parts.items()}

    def _targets_of(self, personas: Iterable[str]) -> dict[str, int]:
        for persona in personas:
            if persona not in self._target:
                self._target[persona] = target_partition(persona, self._partitions)
        return self._target


def _to_ipc(rows: pl.DataFrame, columns: Columns) -> bytes:
    name = columns[0]
    symbols = pl.Enum(rows[name].unique(maintain_order=True))  # a dictionary: each text once
    target = io.BytesIO()
    rows.select(pl.col(name).cast(symbols), *columns[1:]).write_ipc_stream(target)
    return target.getvalue()


@dataclass(frozen=True, slots=True)
class PaneEntries:
    """What a partial adds to panes: personas, and entries (number of the persona, ...), shapes (n,)."""

    personas: list[str]
    persona: Ints
    granularity: Ints  # number in GRANULARITIES
    pane: Ints
    counter: Ints
    amount: Ints


@dataclass(frozen=True, slots=True)
class PostEntries:
    """What a partial adds to posts: their keys (text of PostKey), and entries (number of the key, ...), shapes (n,)."""

    keys: list[str]
    key: Ints
    counter: Ints
    amount: Ints


def read_panes(block: bytes) -> PaneEntries:
    """Return the entries of a partial's `panes`.

    Raises:
        ValueError: the block is no Arrow IPC stream of these columns.
    """
    return PaneEntries(*_read(block, PANE_COLUMNS))


def read_posts(block: bytes) -> PostEntries:
    """Return the entries of a partial's `posts`; raises as `read_panes` does."""
    return PostEntries(*_read(block, POST_COLUMNS))


def counted_ms(partial: KpiPartial) -> int:
    """Return when a partial was made, milliseconds since the epoch."""
    return round(partial.occurred_at.timestamp() * 1000)


def without_hidden(
    panes: PaneEntries, posts: PostEntries, hidden: Hidden, at_ms: int
) -> tuple[PaneEntries, PostEntries]:
    """Return the entries of a partial made at `at_ms` that are of no persona hidden since."""
    gone = _mask(panes.personas, hidden, at_ms)
    if gone.any():
        kept, of = ~gone[panes.persona], np.cumsum(~gone) - 1
        rest = (panes.granularity, panes.pane, panes.counter, panes.amount)
        panes = PaneEntries(_shown(panes.personas, gone), of[panes.persona[kept]], *(each[kept] for each in rest))
    gone = _mask((PostKey.parse(key).persona_id for key in posts.keys), hidden, at_ms)
    if gone.any():
        kept, of = ~gone[posts.key], np.cumsum(~gone) - 1
        posts = PostEntries(_shown(posts.keys, gone), of[posts.key[kept]], posts.counter[kept], posts.amount[kept])
    return panes, posts


def _mask(personas: Iterable[str], hidden: Hidden, at_ms: int) -> NDArray[np.bool_]:
    return np.array([hidden.hides(persona.encode(), at_ms) for persona in personas], dtype=np.bool_)


def _shown(names: list[str], gone: NDArray[np.bool_]) -> list[str]:
    return [name for name, is_gone in zip(names, gone.tolist(), strict=True) if not is_gone]


def _read(block: bytes, columns: Columns) -> tuple[Any, ...]:
    if not block:
        return [], *(np.zeros(0, dtype=np.int64) for _ in columns)
    try:
        rows = pl.read_ipc_stream(io.BytesIO(block))
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"expected an Arrow IPC stream, got {len(block)} bytes that are none: {error}") from error
    first = rows.to_series(0)
    if tuple(rows.columns) != columns or not isinstance(first.dtype, pl.Enum):
        raise ValueError(f"expected the columns {', '.join(columns)}, got {rows.schema}")
    numbers = [first.to_physical(), *rows.get_columns()[1:]]
    return first.dtype.categories.to_list(), *(column.cast(pl.Int64).to_numpy() for column in numbers)
