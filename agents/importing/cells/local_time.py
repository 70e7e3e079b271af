"""Local times to instants by an IANA time zone; what a change of the clocks makes of them is said, not guessed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agents.importing.import_fault import ImportFault

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MS = timedelta(milliseconds=1)


def zone_named(name: str) -> ZoneInfo:
    """Return a time zone of the IANA database.

    Raises:
        ImportFault: there is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ImportFault(
            f"--timezone {name!r} is no time zone of the IANA database; use a name such as Europe/Berlin, "
            "America/Los_Angeles or UTC."
        ) from None


def as_ms(at: datetime) -> int:
    """Return a datetime as milliseconds since the epoch; one without an offset is UTC."""
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - EPOCH) // MS


def first_instant_ms(local: datetime, zone: ZoneInfo | None) -> int:
    """Return when a local day begins, given its midnight; where the clocks skip midnight, when they have."""
    return as_ms(local.replace(tzinfo=zone, fold=0) if zone and local.tzinfo is None else local)


def instant_ms(local: datetime, zone: ZoneInfo | None) -> tuple[int, bool]:
    """Return the instant of a local time, and whether the clocks showed it twice: then it is the first of the two.

    A time with an offset is an instant already; without a zone it is UTC.

    Raises:
        ValueError: the clocks skipped that time.
    """
    if zone is None or local.tzinfo is not None:
        return as_ms(local), False
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return as_ms(first), False
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise ValueError(f"is a time that the clocks of {zone.key} skip; check --timezone")
    return as_ms(first), True
