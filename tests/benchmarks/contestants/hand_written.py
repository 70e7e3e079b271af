"""What a careful user writes by hand around a consumer: decode, drop duplicates within the horizon, count.

Decoding is fastavro's fastest for the purpose: the whole record, times as plain numbers. A reader schema of only the
fields that are counted was tried and takes longer, because fastavro then resolves one schema against the other.
"""

from __future__ import annotations

import io
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import fastavro

from schemas.codec.wire_format import HEADER_BYTES
from schemas.definitions import definition
from tests.benchmarks.contestants.report import Counters
from tests.benchmarks.job import hour_of

HORIZON_EVENTS = 1_000_000
SCHEMA_NAME = "EngagementEvent"


def reader_schema() -> Any:
    """Return the event schema as a plain consumer would use it: times as numbers, no datetime built per event."""
    schema = dict(definition(SCHEMA_NAME))
    schema["fields"] = [_plain(one) for one in schema["fields"]]
    return fastavro.parse_schema(schema)


def _plain(avro_field: dict[str, Any]) -> dict[str, Any]:
    kind = avro_field["type"]
    return {**avro_field, "type": kind["type"] if isinstance(kind, dict) and "logicalType" in kind else kind}


SCHEMA = reader_schema()


def decode(value: bytes) -> dict[str, Any]:
    """Return the event of a framed value."""
    body = io.BytesIO(value)
    body.seek(HEADER_BYTES)
    event = fastavro.schemaless_reader(body, SCHEMA, None)
    assert isinstance(event, dict)
    return event


@dataclass(slots=True)
class RecentIds:
    """The ids of the last HORIZON_EVENTS events of one partition. In memory: a restart forgets them."""

    ids: set[str] = field(default_factory=set)
    in_order: deque[str] = field(default_factory=deque)

    def is_new(self, event_id: str) -> bool:
        """Tell whether the id comes for the first time, and remember it."""
        if event_id in self.ids:
            return False
        self.ids.add(event_id)
        self.in_order.append(event_id)
        if len(self.in_order) > HORIZON_EVENTS:
            self.ids.discard(self.in_order.popleft())
        return True


@dataclass(slots=True)
class HandWrittenCounts:
    """Counters and recent ids in dictionaries; nothing is kept across a restart."""

    counters: Counters = field(default_factory=Counters)
    recent: dict[int, RecentIds] = field(default_factory=dict)

    def fold(self, partition: int, value: bytes) -> None:
        """Count one value."""
        event = decode(value)
        recent = self.recent.get(partition)
        if recent is None:
            recent = self.recent[partition] = RecentIds()
        if recent.is_new(event["event_id"]):
            count(self.counters, event)


def count(counters: Counters, event: dict[str, Any]) -> None:
    """Add one event to the counters."""
    kind, number = event["kind"], event["count"]
    pane = (event["persona_id"], kind, hour_of(event["occurred_at"]))
    counters.panes[pane] = counters.panes.get(pane, 0) + number
    post = (event["post_id"], kind)
    counters.posts[post] = counters.posts.get(post, 0) + number
