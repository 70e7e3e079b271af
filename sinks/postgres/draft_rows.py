"""Draft rows: a row of `drafts` from any event of a draft's life - generated, scored, accepted or rejected."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from psycopg.types.json import Jsonb

from schemas.records import DraftDecided, DraftGenerated, DraftScored, NearDuplicate, Quality
from streams.engine.batch import TopicPartition

DraftEvent = DraftGenerated | DraftScored | DraftDecided


@dataclass(frozen=True, slots=True)
class _Standing:
    """What is known of a draft at one event of its life."""

    draft: DraftGenerated
    status: str
    precedence: int
    event_at: datetime
    quality: Quality | None = None
    reasons: tuple[str, ...] = ()
    near_duplicate: NearDuplicate | None = None
    embedding_model: str | None = None
    decided_at: datetime | None = None


def draft_row(event: DraftEvent, source: TopicPartition, offset: int) -> tuple[object, ...]:
    """Return the row, in the order of the columns in sql/drafts.sql."""
    standing = _standing(event)
    draft, near = standing.draft, standing.near_duplicate
    return (
        draft.draft_id,
        draft.persona_id,
        draft.request_id,
        standing.status,
        draft.persona_version,
        draft.hook,
        draft.body,
        draft.text,
        draft.language,
        draft.model,
        draft.prompt_tokens,
        draft.completion_tokens,
        draft.cost_micros,
        draft.latency_ms,
        draft.occurred_at,
        *_quality_values(standing.quality),
        list(standing.reasons),
        near.draft_id if near else None,
        near.similarity if near else None,
        standing.embedding_model,
        standing.decided_at,
        draft.call_to_action,
        draft.revisions,
        list(draft.guard_reasons),
        Jsonb([asdict(step) for step in draft.steps]),
        standing.precedence,
        standing.event_at,
        source.topic,
        source.partition,
        offset,
    )


def _standing(event: DraftEvent) -> _Standing:
    if isinstance(event, DraftGenerated):
        return _Standing(event, "generated", 2, event.occurred_at)
    if isinstance(event, DraftScored):
        return _Standing(event.draft, "scored", 1, event.occurred_at, event.quality)
    return _Standing(
        event.draft,
        event.decision,
        0,
        event.occurred_at,
        event.quality,
        event.reasons,
        event.near_duplicate,
        event.embedding_model,
        event.occurred_at,
    )


def _quality_values(quality: Quality | None) -> tuple[object, ...]:
    if quality is None:
        return (None, None, None, None)
    features = [
        {"name": each.name, "value": each.value, "weight": each.weight, "reason": each.reason}
        for each in quality.features
    ]
    return (quality.score, quality.threshold, quality.passed, Jsonb(features))
