"""Partials: the counts of one range on their way to the partition that merges their personas, as Arrow IPC streams."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from zlib import crc32

import numpy as np
import polars as pl
from numpy.typing import NDArray

from agents.kpis.source_counts import Counts, SourceCounts
from agents.kpis.source_ranges import OffsetRange
from schemas.records import KpiPartial
from streams.engine.batch import TopicPartition
from streams.identity import derived_id

TOPIC = "kpi.partials"


def target_partition(persona_id: str, partitions: int) -> int:
    """Return the partition of kpi.partials where a persona is merged."""
    return crc32(persona_id.encode()) % partitions


class PartialWriter:
    """Write the counts of a range as one partial for each partition that merges a persona of it."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._target: dict[str, int] = {}

    def partials(
        self, source: TopicPartition, offsets: OffsetRange, counts: SourceCounts, now_ms: int
    ) -> list[tuple[int, KpiPartial]]:
        """Return (target partition, partial) pairs that together hold all counts."""
        panes, posts = self._by_target(counts.panes), self._by_target(counts.posts)
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

    def _by_target(self, counts: Counts) -> dict[int, bytes]:
        if counts.is_empty():
            return {}
        personas = counts["persona_id"]
        targets = personas.replace_strict(self._targets_of(personas.unique().to_list()), return_dtype=pl.Int64)
        rows = counts.select(pl.col("key").cast(pl.Categorical), "counter", "amount")
        parts = ((target, rows.filter(targets == target)) for target in range(self._partitions))
        return {target: _to_ipc(part) for target, part in parts if len(part)}

    def _targets_of(self, personas: list[str]) -> dict[str, int]:
        for persona in personas:
            if persona not in self._target:
                self._target[persona] = target_partition(persona, self._partitions)
        return self._target


def _to_ipc(rows: pl.DataFrame) -> bytes:
    target = io.BytesIO()
    rows.write_ipc_stream(target)
    return target.getvalue()


@dataclass(frozen=True, slots=True)
class Added:
    """What a partial adds: distinct keys, and entries (number of the key, counter, amount), shapes (n,)."""

    keys: list[str]
    key: NDArray[np.int64]
    counter: NDArray[np.int64]
    amount: NDArray[np.int64]


def read_block(block: bytes) -> Added:
    """Return the entries of a partial's `panes` or `posts`.

    Raises:
        ValueError: the block is no Arrow IPC stream of a key, a counter and an amount.
    """
    if not block:
        nothing = np.zeros(0, dtype=np.int64)
        return Added([], nothing, nothing, nothing)
    try:
        rows = pl.read_ipc_stream(io.BytesIO(block))
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"expected an Arrow IPC stream, got {len(block)} bytes that are none: {error}") from error
    if rows.columns != ["key", "counter", "amount"]:
        raise ValueError(f"expected the columns key, counter and amount, got {rows.columns}")
    keys = rows["key"].cast(pl.String).unique(maintain_order=True)
    numbers = pl.DataFrame({"key": keys, "number": np.arange(len(keys))})
    entries = rows.with_columns(pl.col("key").cast(pl.String)).join(
        numbers, on="key", how="left", maintain_order="left"
    )
    columns = (entries[name].cast(pl.Int64).to_numpy() for name in ("number", "counter", "amount"))
    return Added(keys.to_list(), *columns)
