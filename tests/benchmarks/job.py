"""The terms of the benchmark's job: what is counted, by which keys, and how things are named."""

from __future__ import annotations

HOUR_MS = 3_600_000
KINDS = ("view", "like", "reply", "repost", "quote", "share", "click", "follow")
TOPIC = "engagement.events"
PARTITIONS = 4

PANE_KEY = ("persona_id", "kind", "hour")
POST_KEY = ("post_id", "kind")


def persona_name(index: int) -> str:
    """Return the id of a persona."""
    return f"persona-{index:05d}"


def post_name(index: int) -> str:
    """Return the id of a post."""
    return f"post-{index:07d}"


def hour_of(occurred_ms: int) -> int:
    """Return the hour since the epoch that a time lies in."""
    return occurred_ms // HOUR_MS
