"""Events of the live feed as Server-Sent Events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from __future__ import annotations

from agents.gateway.live.record_json import json_bytes
from agents.gateway.live.ring import Entry, Gap, Reason

RETRY_MS = 2_000
OPENING = b"retry: %d\n\n" % RETRY_MS
HEARTBEAT = b": heartbeat\n"
DETAILS: dict[Reason, str] = {
    "retention": "these records were deleted before they were read; it goes on with the oldest that is there",
    "made_again": "the topic was deleted and made again; it is read from its beginning; what was unread is gone",
    "truncated": "the log lost its end, with what was read up to this offset; it goes on at the end that it has now",
}


def entry_event(topic: str, entry: Entry, position: str) -> bytes:
    """Return the event of a record or a gap; `position` is its id."""
    if isinstance(entry, Gap):
        return _event(b"gap", _gap(topic, entry), position)
    return _event(b"record", entry.data, position)


def status_event(topic: str, away: str | None) -> bytes:
    """Return the event that says that nothing comes of a topic at the moment, or that it goes on; it has no id."""
    told = {"topic": topic, "state": "back" if away is None else "away", "detail": away}
    return b"event: status\ndata: " + json_bytes(told) + b"\n\n"


def heartbeat(position: str) -> bytes:
    """Return a comment, and the position reached: records that a filter leaves out move it as well."""
    return HEARTBEAT + (position_event(position) or b"\n")


def position_event(position: str) -> bytes:
    """Return the event that says the position alone; nothing where it is not known yet: an empty id would forget it.

    It has data, for a block without is no event to a browser: it takes the id in, and its script never learns it.
    """
    return _event(b"position", b"{}", position) if position else b""


def _event(name: bytes, data: bytes, position: str) -> bytes:
    return b"event: %b\nid: %b\ndata: %b\n\n" % (name, position.encode(), data)


def _gap(topic: str, gap: Gap) -> bytes:
    return json_bytes(
        {
            "topic": topic,
            "partition": gap.partition,
            "from": gap.start,
            "to": gap.end,
            "reason": gap.reason,
            "detail": DETAILS[gap.reason],
        }
    )
