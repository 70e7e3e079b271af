"""A draft as it is generated, of which a test says what differs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from schemas.records import DraftGenerated

PLAIN = DraftGenerated(
    event_id="e",
    occurred_at=datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
    persona_id="nova",
    draft_id="d",
    request_id="r",
    persona_version="v",
    hook="h",
    body="b",
    text="t",
    language="en",
    model="m",
    prompt_tokens=1,
    completion_tokens=1,
    latency_ms=1,
)


def plain_draft(**changes: Any) -> DraftGenerated:
    """Return the plain draft with other values for some fields."""
    return replace(PLAIN, **changes)
