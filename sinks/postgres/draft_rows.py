"""Draft rows: a row of `drafts` from any event of a draft's life - generated, scored, accepted or rejected."""

from __future__ import annotations

from schemas.records import DraftDecided, DraftGenerated, DraftScored, NearDuplicate, Quality
from sinks.postgres.record_columns import RecordColumns
from sinks.postgres.upsert import Row

DraftEvent = DraftGenerated | DraftScored | DraftDecided

_EVENT = ("event_id", "causation_id")
_PARTS = ("persona_id", "draft", "quality")  # their columns are those of the parts
_DRAFT = RecordColumns(DraftGenerated, renamed={"occurred_at": "generated_at"}, left_out=_EVENT)
_QUALITY = RecordColumns(Quality)
_NEAR = RecordColumns(
    NearDuplicate, renamed={"draft_id": "near_duplicate_id", "similarity": "near_duplicate_similarity"}
)
_SCORE = RecordColumns(DraftScored, renamed={"occurred_at": "event_at"}, left_out=(*_EVENT, *_PARTS))
_DECISION = RecordColumns(
    DraftDecided,
    renamed={"occurred_at": "decided_at", "decision": "status"},
    left_out=(*_EVENT, *_PARTS, "near_duplicate", "embedding"),
)


def draft_row(event: DraftEvent) -> Row:
    """Return the row of `drafts`: what the event says of the draft, and nothing of what comes later in its life."""
    draft = event if isinstance(event, DraftGenerated) else event.draft
    near = event.near_duplicate if isinstance(event, DraftDecided) else None
    return {
        **_DRAFT.row(draft),
        **(_QUALITY.nothing if isinstance(event, DraftGenerated) else _QUALITY.row(event.quality)),
        **(_NEAR.row(near) if near else _NEAR.nothing),
        **(_SCORE.row(event) if isinstance(event, DraftScored) else _SCORE.nothing | {"event_at": event.occurred_at}),
        **_standing(event),
    }


def _standing(event: DraftEvent) -> Row:
    if isinstance(event, DraftDecided):
        return {**_DECISION.row(event), "precedence": 0}
    status, precedence = ("generated", 2) if isinstance(event, DraftGenerated) else ("scored", 1)
    return {**_DECISION.nothing, "reasons": [], "status": status, "precedence": precedence}
