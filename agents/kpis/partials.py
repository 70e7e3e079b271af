"""Partials: changed rows of one source partition on their way to the merge, as Arrow IPC streams."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from zlib import crc32

import numpy as np
import polars as pl
from numpy.typing import NDArray

from agents.kpis.counter_table import CounterTable
from agents.kpis.keys import persona_of_pane_key, persona_of_post_key
from agents.kpis.source_counters import Changed, SourceChanges, SourceCounters
from schemas.records import KpiPartial
from streams.engine.batch import TopicPartition
from streams.identity import derived_id

TOPIC = "kpi.partials"
MAX_ROWS = 2_000  # of one partial: about 400 kB


def target_partition(persona_id: str, partitions: int) -> int:
    """Return the partition of kpi.partials where a persona is merged."""
    return crc32(persona_id.encode()) % partitions


@dataclass(frozen=True, slots=True)
class Counted:
    """Rows of counters: keys, shape (n,), and counters, shape (n, width)."""

    keys: list[str]
    counters: NDArray[np.int64]


class PartialWriter:
    """Cut the changed rows of a source partition into partials, by the partition that merges their personas."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._target: dict[str, int] = {}

    def partials(
        self, source: TopicPartition, counters: SourceCounters, changes: SourceChanges, last_offset: int, now_ms: int
    ) -> list[tuple[int, KpiPartial]]:
        """Return (target partition, partial) pairs that together hold every changed row."""
        panes = self._by_target(counters.panes, changes.panes, persona_of_pane_key(pl.col("key")))
        posts = self._by_target(counters.posts, changes.posts, persona_of_post_key(pl.col("key")))
        at = datetime.fromtimestamp(now_ms / 1000, UTC)
        result = []
        for target in sorted(panes.keys() | posts.keys()):
            pairs = zip_longest(panes.get(target, []), posts.get(target, []), fillvalue=b"")
            for number, (of_panes, of_posts) in enumerate(pairs):
                partial = KpiPartial(
                    event_id=derived_id(
                        source.topic, str(source.partition), str(target), str(last_offset), str(number)
                    ),
                    occurred_at=at,
                    source_topic=source.topic,
                    source_partition=source.partition,
                    last_offset=last_offset,
                    panes=of_panes,
                    posts=of_posts,
                )
                result.append((target, partial))
        return result

    def _by_target(self, table: CounterTable, changed: Changed, persona: pl.Expr) -> dict[int, list[bytes]]:
        if not changed.keys:
            return {}
        frame = pl.DataFrame(table.counters(changed.rows)).insert_column(0, pl.Series("key", changed.keys))
        personas = frame.select(persona.alias("persona"))["persona"]
        targets = personas.replace_strict(self._targets_of(personas.unique().to_list()), return_dtype=pl.Int64)
        blocks: dict[int, list[bytes]] = {}
        for target, part in enumerate(frame.filter(targets == number) for number in range(self._partitions)):
            blocks[target] = [_to_ipc(part.slice(start, MAX_ROWS)) for start in range(0, len(part), MAX_ROWS)]
        return {target: parts for target, parts in blocks.items() if parts}

    def _targets_of(self, personas: list[str]) -> dict[str, int]:
        for persona in personas:
            if persona not in self._target:
                self._target[persona] = target_partition(persona, self._partitions)
        return self._target


def _to_ipc(frame: pl.DataFrame) -> bytes:
    target = io.BytesIO()
    frame.write_ipc_stream(target)
    return target.getvalue()


def read_block(block: bytes, width: int) -> Counted:
    """Return the rows of a partial's `panes` or `posts`.

    Raises:
        ValueError: the block is no Arrow IPC stream of a key and `width` counters.
    """
    if not block:
        return Counted([], np.zeros((0, width), dtype=np.int64))
    try:
        frame = pl.read_ipc_stream(io.BytesIO(block))
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"expected an Arrow IPC stream, got {len(block)} bytes that are none: {error}") from error
    if frame.width != width + 1 or frame.columns[0] != "key":
        raise ValueError(f"expected a key and {width} counters, got the columns {frame.columns}")
    return Counted(frame["key"].to_list(), frame.drop("key").to_numpy().astype(np.int64, copy=False))
