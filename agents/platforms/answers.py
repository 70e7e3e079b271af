"""Reading what platforms answer: each value as it is documented to be, and None, or a fault, where it is not."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from agents.platforms.calls import Answer, Call


def documented(call: Call, answer: Answer) -> Mapping[str, Any]:
    """Return the JSON object that a call was answered with; raises what an unclear answer to the call is."""
    found = answer.parsed()
    if not isinstance(found, dict) or answer.status >= HTTPStatus.MULTIPLE_CHOICES:
        raise _unclear(call, answer)
    return found


def documented_list(call: Call, answer: Answer) -> list[Mapping[str, Any]]:
    """Return the JSON list of objects that a call was answered with; raises as `documented` does."""
    found = answer.parsed()
    is_one = isinstance(found, list) and all(isinstance(each, dict) for each in found)
    if not isinstance(found, list) or not is_one or answer.status >= HTTPStatus.MULTIPLE_CHOICES:
        raise _unclear(call, answer)
    return found


def _unclear(call: Call, answer: Answer) -> Exception:
    return call.unclear(f"the answer ({answer.status}) is not the documented JSON")


def id_in(call: Call, found: Mapping[str, Any]) -> str:
    """Return the id of an object, a number as text; raises what an unclear answer to the call is."""
    identity = found.get("id")
    if isinstance(identity, int) and not isinstance(identity, bool):
        identity = str(identity)
    if not isinstance(identity, str) or not identity:
        raise call.unclear("the answer has no id")
    return identity


def object_of(value: object) -> Mapping[str, Any]:
    """Return a JSON object, empty where it is none."""
    return value if isinstance(value, dict) else {}


def text_of(value: object) -> str | None:
    """Return a text that is not empty."""
    return value if isinstance(value, str) and value else None


def whole(value: object) -> int | None:
    """Return a count."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def time_of(value: object) -> datetime | None:
    """Return a time of ISO 8601 in UTC, which one without a zone is taken to be in."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def comparable(text: str) -> str:
    """Return a text as it can be compared with what became of it: composed (NFC), with single blanks."""
    return " ".join(unicodedata.normalize("NFC", text).split())
