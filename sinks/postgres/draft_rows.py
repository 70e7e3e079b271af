"""Draft rows: a row of `drafts` from any event of a draft's life - generated, scored, accepted or rejected."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from psycopg.types.json import Jsonb

from schemas.records import DraftDecided, DraftGenerated, DraftScored, NearDuplicate, Quality
from sinks.postgres.upsert import Row
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


def draft_row(event: DraftEvent, source: TopicPartition, offset: int) -> Row:
    """Return the row of `drafts`."""
    standing = _standing(event)
    draft, near = standing.draft, standing.near_duplicate
    return {
        "draft_id": draft.draft_id,
        "persona_id": draft.persona_id,
        "request_id": draft.request_id,
        "status": standing.status,
        "persona_version": draft.persona_version,
        "hook": draft.hook,
        "body": draft.body,
        "text": draft.text,
        "language": draft.language,
        "model": draft.model,
        "prompt_tokens": draft.prompt_tokens,
        "completion_tokens": draft.completion_tokens,
        "cost_micros": draft.cost_micros,
        "latency_ms": draft.latency_ms,
        "generated_at": draft.occurred_at,
        **_quality_values(standing.quality),
        "reasons": list(standing.reasons),
        "near_duplicate_id": near.draft_id if near else None,
        "near_duplicate_similarity": near.similarity if near else None,
        "embedding_model": standing.embedding_model,
        "decided_at": standing.decided_at,
        "call_to_action": draft.call_to_action,
        "revisions": draft.revisions,
        "guard_reasons": list(draft.guard_reasons),
        "steps": Jsonb([asdict(step) for step in draft.steps]),
        "precedence": standing.precedence,
        "event_at": standing.event_at,
        "source_topic": source.topic,
        "source_partition": source.partition,
        "source_offset": offset,
    }


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


def _quality_values(quality: Quality | None) -> Row:
    if quality is None:
        return {"score": None, "threshold": None, "passed": None, "features": None}
    features = [
        {"name": each.name, "value": each.value, "weight": each.weight, "reason": each.reason}
        for each in quality.features
    ]
    return {
        "score": quality.score,
        "threshold": quality.threshold,
        "passed": quality.passed,
        "features": Jsonb(features),
    }
