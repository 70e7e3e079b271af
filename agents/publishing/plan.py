"""When a post is due: the slots of its persona, apart from others, outside the quiet hours. Pure.

- A slot is a time that the clock shows in the persona's zone (`PostingPlan.next_slot` says what changes of the clocks
  do to it); a whole day that a zone leaves out has its slots on the day after, together with those of that day.
- Spacing is time that passes, whatever clocks do. Slots nearer to another post than that are passed over.
- Quiet hours are what the clock shows: where it jumps over their end they are over with the jump, and an hour that
  comes twice is quiet twice. A slot that a change of the clocks moved into them is due at their end.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from agents.personas.posting import PostingPlan

_SECOND = timedelta(seconds=1)


def next_due(posting: PostingPlan, after: datetime, taken: Collection[datetime]) -> datetime:
    """Return when the next post of a persona is due, in UTC: its first free slot later than `after`.

    `taken` are the times at which its others are due or, of those published, were due. Without slots it is `after`
    itself, or as much later as spacing and quiet hours ask for.

    Raises:
        ValueError: a time has no zone.
    """
    others, spacing = sorted(_utc(each) for each in taken), timedelta(minutes=posting.spacing_min)
    slot = posting.next_slot(after)
    due = may_publish_at(posting, after if slot is None else slot)
    while (free := _free_from(due, others, spacing, is_slot=slot is not None)) != due:
        if slot is None:
            due = may_publish_at(posting, free)
        else:
            slot = posting.next_slot(slot)
            assert slot is not None
            due = may_publish_at(posting, slot)
    return due


def may_publish_at(posting: PostingPlan, at: datetime) -> datetime:
    """Return `at`, or the end of the quiet hours that it falls in; in UTC.

    Raises:
        ValueError: `at` has no zone.
    """
    at, zone = _utc(at), ZoneInfo(posting.timezone)
    while (left := posting.quiet_for(at)) is not None:
        end = at + left
        at = end if _offset(end, zone) == _offset(at, zone) else _change_of_clocks(at, end, zone)
    return at


def missed(posting: PostingPlan, due_at: datetime, now: datetime) -> Literal["publish", "next_slot", "expire"]:
    """Return what becomes of a post that was due and is not published: it is not late at all, or as the plan says."""
    late = now - due_at > timedelta(minutes=posting.missed_after_min)
    return posting.missed if late else "publish"


def _free_from(at: datetime, others: Sequence[datetime], spacing: timedelta, *, is_slot: bool) -> datetime:
    """Return `at` where it is far enough from all others, else the first moment that is so for those around it."""
    near = others[bisect_right(others, at - spacing) : bisect_left(others, at + spacing)]
    if near:
        return near[-1] + spacing
    if is_slot and not spacing and at in others[bisect_left(others, at) : bisect_right(others, at)]:
        return at + _SECOND  # a slot is for one
    return at


def _change_of_clocks(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the first moment between two whose offset is not that of `before`; changes are at whole seconds."""
    offset, low, high = _offset(before, zone), int(before.timestamp()), -int(-after.timestamp() // 1)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(datetime.fromtimestamp(middle, UTC), zone) == offset:
            low = middle
        else:
            high = middle
    return datetime.fromtimestamp(high, UTC)


def _offset(at: datetime, zone: ZoneInfo) -> timedelta | None:
    return at.astimezone(zone).utcoffset()


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"expected a time with a zone, got {at.isoformat()}; give it in UTC")
    return at.astimezone(UTC)
