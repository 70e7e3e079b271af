"""A time that a person wrote: with an offset it is that moment, without one it is what the clock of a zone shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from streams.errors import ThreadsError


class TimeNotUnderstood(ThreadsError):
    """A time can't be used as it is written; the message shows how to write it."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment in UTC; `note` says where the clock does not show the time that was written, or shows it twice."""

    at: datetime
    note: str | None = None


def moment_of(text: str, timezone: str) -> Moment:
    """Return the moment that is meant by a text such as `2026-12-01 09:00` in an IANA zone.

    A time that the clocks jump over comes as much later as they jump, of one that comes twice the first is meant, as
    for slots.

    Raises:
        TimeNotUnderstood: it is no date with a time.
    """
    try:
        written = datetime.fromisoformat(text.strip())
    except ValueError:
        written = None
    if written is None or ":" not in text:
        raise TimeNotUnderstood(
            f"expected a date and a time such as '2026-12-01 09:00' (in {timezone}) or 2026-12-01T09:00+01:00, "
            f"got {text!r}"
        )
    if written.tzinfo is not None:
        return Moment(written.astimezone(UTC))
    zone = ZoneInfo(timezone)
    first, second = (written.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    shown = first.astimezone(zone)
    if shown.replace(tzinfo=None, fold=0) != written:
        return Moment(
            first,
            f"{written:%Y-%m-%d %H:%M} does not exist in {timezone}, where the clocks jump over it; "
            f"{shown:%Y-%m-%d %H:%M} is taken",
        )
    if first != second:
        later = second.astimezone(zone)
        return Moment(
            first,
            f"{written:%Y-%m-%d %H:%M} comes twice in {timezone}; the first is taken, the second is "
            f"{later.isoformat(sep=' ', timespec='minutes')}",
        )
    return Moment(first)
