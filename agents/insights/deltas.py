"""From lifetime totals to what happened since: differences by kind, none for what is unknown, falls as corrections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from agents.platforms.contract import PostInsights
from schemas.engagement import COUNTER_OF
from schemas.record_rules import MAX_AMOUNT
from schemas.records import EngagementBasis, EngagementKind

KINDS: tuple[EngagementKind, ...] = ("view", "like", "reply", "repost", "quote", "share")
LATE = timedelta(hours=1)
"""A total that is told for the first time when its post is older tells nothing of the first hour and day."""

Told = Mapping[EngagementKind, int | None]
Known = Mapping[EngagementKind, int]


def told_by(insights: PostInsights) -> dict[EngagementKind, int | None]:
    """Return the totals by kind; None for what the platform does not tell, and for numbers that can't be."""
    return {kind: usable(getattr(insights, COUNTER_OF[kind])) for kind in KINDS}


def usable(total: int | None) -> int | None:
    """Return a number that a platform told; None for one that can't be."""
    return total if total is not None and 0 <= total <= MAX_AMOUNT else None


def known_after(known: Known, told: Told) -> dict[EngagementKind, int]:
    """Return what is known once totals were told: an unknown one stays what it was."""
    return {**known, **{kind: total for kind, total in told.items() if total is not None}}


@dataclass(frozen=True, slots=True)
class Delta:
    """A count that changed, when it is booked, and on what basis."""

    kind: EngagementKind
    count: int
    at: datetime
    basis: EngagementBasis


@dataclass(frozen=True, slots=True)
class Moments:
    """When a post was published, was looked at before (None: never) and now."""

    published_at: datetime
    before: datetime | None
    now: datetime


def deltas(known: Known, told: Told, moments: Moments) -> list[Delta]:
    """Return what totals add to those that are known, a delta a kind, none where nothing changed.

    A rise is an `event` of now; a total that is first told when the post is `LATE` is booked as `total` at the post's
    own time, as imports book it; a fall is a `correction` of the count before, at the time of that one.
    """
    made = []
    for kind, total in told.items():
        if total is None or total == known.get(kind, 0):
            continue
        basis, at = _booking(is_fall=total < known.get(kind, 0), is_first=kind not in known, moments=moments)
        made.append(Delta(kind, total - known.get(kind, 0), at, basis))
    return made


def _booking(*, is_fall: bool, is_first: bool, moments: Moments) -> tuple[EngagementBasis, datetime]:
    if is_fall:
        return "correction", moments.before or moments.now
    if is_first and moments.now - moments.published_at > LATE:
        return "total", moments.published_at
    return "event", moments.now
