"""Batches of records as sinks take them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from schemas.records import (
    Decision,
    DraftDecided,
    DraftGenerated,
    DraftScored,
    KpiUpdate,
    NearDuplicate,
    Quality,
    QualityFeature,
    Record,
)
from streams.engine.batch import ColumnBatch, Row, RowBatch, TopicPartition
from tests.support.drafts import plain_draft

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


NOON_MS = int(NOON.timestamp() * 1000)


QUALITY = Quality(
    score=0.75,
    threshold=0.55,
    passed=True,
    features=(QualityFeature(name="length", value=1.0, weight=0.5, reason='a "word" \\'),),
)


def rows(topic: str, partition: int, records: Sequence[Record], first_offset: int = 0) -> RowBatch[Any]:
    return RowBatch(
        TopicPartition(topic, partition), [Row(first_offset + n, record) for n, record in enumerate(records)]
    )


def columns(topic: str, frame: dict[str, Any]) -> ColumnBatch:
    count = len(frame["event_id"])
    common = {
        "occurred_at": [NOON_MS] * count,
        "persona_id": ["nova"] * count,
        "causation_id": pl.Series([None] * count, dtype=pl.String),
        "source": ["unknown"] * count,
        "backfilled": [False] * count,
        "offset": range(count),
    }
    return ColumnBatch(TopicPartition(topic, 0), pl.DataFrame(common | frame))


def engagement(partition: int, ids: Sequence[str], first_offset: int = 0, **changes: Any) -> ColumnBatch:
    columns = {
        "event_id": ids,
        "occurred_at": [NOON_MS + n for n in range(len(ids))],
        "persona_id": "nova",
        "causation_id": pl.lit(None, pl.String),
        "post_id": pl.Series(["a,b" if n % 2 else None for n in range(len(ids))], dtype=pl.String),
        "kind": "view",
        "count": list(range(len(ids))),
        "source": 'import:"quoted"\nname',
        "simulated": False,
        "basis": "event",
        "backfilled": False,
        "offset": range(first_offset, first_offset + len(ids)),
    } | changes
    series = {name: value for name, value in columns.items() if not isinstance(value, str | bool | pl.Expr)}
    constants = [
        (value if isinstance(value, pl.Expr) else pl.lit(value)).alias(name)
        for name, value in columns.items()
        if name not in series
    ]
    return ColumnBatch(TopicPartition("engagement.events", partition), pl.DataFrame(series).with_columns(constants))


def draft(number: int, text: str = "Hook\nand body") -> DraftGenerated:
    return plain_draft(
        event_id=f"generated-{number}",
        occurred_at=NOON + timedelta(seconds=number),
        draft_id=f"draft-{number}",
        request_id="request-1",
        persona_version="v1",
        hook="Hook",
        body="and body",
        text=text,
        model="smollm2",
        prompt_tokens=10,
        completion_tokens=20,
        latency_ms=1500,
    )


def scored(number: int) -> DraftScored:
    at = NOON + timedelta(seconds=30)
    return DraftScored(
        event_id=f"scored-{number}", occurred_at=at, persona_id="nova", draft=draft(number), quality=QUALITY
    )


def decided(number: int, decision: Decision, seconds: int = 60, reasons: tuple[str, ...] = ()) -> DraftDecided:
    return DraftDecided(
        event_id=f"decided-{number}-{seconds}",
        occurred_at=NOON + timedelta(seconds=seconds),
        persona_id="nova",
        draft=draft(number),
        quality=QUALITY,
        decision=decision,
        reasons=reasons,
        near_duplicate=NearDuplicate(draft_id="draft-0", similarity=0.97) if reasons else None,
        embedding_model="wordllama",
        embedding=(0.6, 0.8),
    )


def kpi(window: str, second: float, views: int) -> KpiUpdate:
    at = NOON + timedelta(seconds=second)
    return KpiUpdate(
        event_id=f"kpi-{window}-{second}-{views}",
        occurred_at=at,
        persona_id="nova",
        window=window,
        window_end=at,
        views=views,
        likes=2,
    )


def calls() -> ColumnBatch:
    """Return three calls of nova, of which one has no known price, and one of rex."""
    return columns(
        "cost.events",
        {
            "event_id": ["c1", "c2", "c3", "c4"],
            "persona_id": ["nova", "nova", "nova", "rex"],
            "request_id": "r",
            "step": "hook",
            "model": ["gpt", "gpt", "new", "gpt"],
            "prompt_tokens": [100, 10, 1, 1000],
            "cached_tokens": [50, 0, 0, 0],
            "completion_tokens": [5, 5, 5, 5],
            "reasoning_tokens": 0,
            "cost_micros": [1_000_001, 2, None, 500_000],
            "latency_ms": 1,
        },
    )
