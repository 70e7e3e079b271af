"""How long platforms ask to wait, by the headers of an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from agents.platforms.answers import time_of

MAX_WAIT_S = 86_400.0
MAX_EPOCH_S = 253_402_300_799


def asked_s(header: str | None, now: datetime) -> Iterator[float]:
    """Yield the seconds that a `Retry-After` asks for, as a number or a date; nothing where it is neither."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        yield float(text[:9])
        return
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return
    yield max((at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds(), 0.0)


def until_reset_s(headers: Mapping[str, str], reset: str, now: datetime) -> float | None:
    """Return the wait that a refusal asks for, up to a day: by `Retry-After`, else until what the header `reset` tells.

    That is in seconds since the epoch (Bluesky) or of ISO 8601 (Mastodon). None where nothing is said.
    """
    waits = [*asked_s(headers.get("retry-after"), now)]
    at = _moment(headers.get(reset, "").strip())
    if not waits and at is not None:
        waits = [max((at - now).total_seconds(), 0.0)]
    return min(*waits, MAX_WAIT_S) if waits else None


def _moment(text: str) -> datetime | None:
    if text.isascii() and text.isdigit():
        return datetime.fromtimestamp(min(int(text[:12]), MAX_EPOCH_S), UTC)
    return time_of(text)
