"""The requests that the demo sends: briefs for the sample personas, as data."""

from __future__ import annotations

from itertools import cycle, islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from schemas.records import PersonaRequest
from streams.wall_clock import utc_now

BRIEFS = Path(__file__).with_name("briefs.yaml")


def demo_requests(count: int) -> list[PersonaRequest]:
    """Return `count` requests with ids of their own, from the briefs in turn."""
    briefs: list[dict[str, Any]] = yaml.safe_load(BRIEFS.read_text(encoding="utf-8"))["briefs"]
    return [
        PersonaRequest(event_id=str(uuid4()), occurred_at=utc_now(), persona_id=one["persona_id"], brief=one["brief"])
        for one in islice(cycle(briefs), count)
    ]
