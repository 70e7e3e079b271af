"""A log of engagement and publications in memory, as the batches that sinks and stages get."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import polars as pl

from streams.engine.batch import ColumnBatch, TopicPartition

NOON_MS = 1_772_366_400_000  # 2026-03-01T12:00:00Z

Row = dict[str, Any]


@dataclass(frozen=True)
class Log:
    """Records by topic and partition, in the order of their offsets."""

    parts: dict[TopicPartition, list[Row]] = field(default_factory=lambda: defaultdict(list))

    def engage(self, partition: int = 0, **event: Any) -> None:
        values = {"event_id": str(uuid4()), "post_id": "p1", "kind": "view", "count": 1, "occurred_at": NOON_MS}
        self._append("engagement.events", partition, values | {"basis": "event"} | event)

    def publish(self, partition: int = 0, **event: Any) -> None:
        values = {"event_id": str(uuid4()), "post_id": "p1", "occurred_at": NOON_MS, "draft_id": None, "text": "t"}
        self._append("posts.published", partition, values | event)

    def _append(self, topic: str, partition: int, values: Row) -> None:
        marks = {"persona_id": "ada", "source": "test", "simulated": False, "backfilled": False, "causation_id": None}
        part = self.parts[TopicPartition(topic, partition)]
        part.append(marks | values | {"offset": len(part)})

    def batches(self, size: int = 1_000) -> list[ColumnBatch]:
        """Return all records as batches of at most `size`."""
        return [
            ColumnBatch(source, pl.DataFrame(rows[start : start + size], schema=schema(source.topic)))
            for source, rows in self.parts.items()
            for start in range(0, len(rows), size)
        ]

    def facts(self, topic: str) -> list[Row]:
        """Return of each event_id the record that is first in the log."""
        first: dict[str, Row] = {}
        for source in sorted(self.parts):
            if source.topic == topic:
                for row in self.parts[source]:
                    first.setdefault(row["event_id"], row)
        return list(first.values())


def schema(topic: str) -> dict[str, Any]:
    names = {
        "engagement.events": ("persona_id", "event_id", "post_id", "kind", "source", "causation_id", "basis"),
        "posts.published": ("persona_id", "event_id", "post_id", "draft_id", "text", "source", "causation_id"),
    }[topic]
    numbers = ("count", "occurred_at", "offset") if topic == "engagement.events" else ("occurred_at", "offset")
    marks = ("simulated", "backfilled")
    return dict.fromkeys(names, pl.String) | dict.fromkeys(numbers, pl.Int64) | dict.fromkeys(marks, pl.Boolean)
