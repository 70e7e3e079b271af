"""Posts as they begin, with the simulator's own curves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from agents.learning.forecasting.post_starts import PostStart
from agents.simulator.audience import audience_of

FIRST = datetime(2026, 1, 1, 8, tzinfo=UTC)


def simulated_post(
    number: int, persona_id: str = "nova", *, seed: int = 1, every_h: float = 3, text: str = ""
) -> PostStart:
    """Return the start of a post as the simulator's audience takes it; posts follow each other by hours."""
    post_id = f"{persona_id}-{number}"
    audience = audience_of(post_id, seed, 900)
    counts = [audience.totals(seconds) for seconds in (600.0, 3_600.0, 86_400.0)]
    engagements = sum(counts[2][name] for name in ("likes", "replies", "reposts", "quotes", "shares"))
    return PostStart(
        persona_id=persona_id,
        post_id=post_id,
        published_at=FIRST + timedelta(hours=every_h * number),
        text=text or f"post {number}",
        simulated=True,
        views_10m=counts[0]["views"],
        views_1h=counts[1]["views"],
        views_1d=counts[2]["views"],
        engagements_1d=engagements,
    )
