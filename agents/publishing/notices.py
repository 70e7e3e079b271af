"""Notices: webhooks of Threads, checked and told apart. Pure; the gateway takes them, `notice_stage.py` acts on them.

Source: developers.facebook.com/docs/threads/webhooks: the signature is HMAC-SHA256 of the raw body with the app's
secret, `values` is an object of `field` and `value` (not Graph's `entry[]`), `time` is in seconds since the epoch.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.records import PlatformNotice
from streams.errors import ThreadsError
from streams.identity import derived_id

PLATFORM = "threads"
SIGNATURE_PREFIX = "sha256="
AHEAD = timedelta(minutes=5)  # how far the platform's clock may be before ours
MOST_VALUES = 1_000
_ID = re.compile(r"[0-9A-Za-z_.:-]{1,100}")
_FIELD = re.compile(r"[a-z_]{1,50}")


class NoNotice(ThreadsError):
    """A body is none of a webhook, or one of another time; the message says what was expected."""


def signature_of(secret: bytes, body: bytes) -> str:
    """Return the value of X-Hub-Signature-256."""
    return SIGNATURE_PREFIX + hmac.digest(secret, body, hashlib.sha256).hex()


def is_signed(secret: bytes, body: bytes, signature: str) -> bool:
    """Tell whether a body was signed with the secret; it takes as long whatever the signature is."""
    return hmac.compare_digest(signature_of(secret, body).encode(), signature.strip().encode())


def notices_of(body: bytes, now: datetime, window: timedelta) -> list[PlatformNotice]:
    """Return the notices of a body, each once. Their ids follow from what they say, whenever and however often it came.

    Raises:
        NoNotice: it is no webhook, or not of the last `window`: it was recorded and sent again.
    """
    payload = _payload(body)
    told_at = _told_at(payload.get("time"))
    if not now - window <= told_at <= now + AHEAD:
        raise NoNotice(
            f"time: expected one of the last {window.total_seconds():g} s, got {told_at.isoformat()} at "
            f"{now.isoformat()}; set this clock right, or raise THREADS_NOTICE_WINDOW_S"
        )
    values = payload.get("values")
    entries = values if isinstance(values, list) else [values]
    if not 1 <= len(entries) <= MOST_VALUES:
        raise NoNotice(f"values: expected an object of field and value, or 1 to {MOST_VALUES}, got {len(entries)}")
    found = {each.event_id: each for each in (_notice(payload, each, told_at, now) for each in entries)}
    return list(found.values())


def _payload(body: bytes) -> Mapping[str, Any]:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        raise NoNotice('body: expected a JSON object such as {"target_id": …, "time": …, "values": {"field": …}}')
    return payload


def _told_at(seconds: object) -> datetime:
    try:
        return datetime.fromtimestamp(int(str(seconds)), UTC)
    except (ValueError, OverflowError, OSError):
        raise NoNotice("time: expected seconds since the epoch, as a whole number") from None


def _notice(payload: Mapping[str, Any], entry: object, told_at: datetime, now: datetime) -> PlatformNotice:
    if not isinstance(entry, dict) or not isinstance(entry.get("value"), dict):
        raise NoNotice("values: expected an object of field and value, the value an object")
    field, value = entry.get("field"), entry["value"]
    if not isinstance(field, str) or not _FIELD.fullmatch(field):
        raise NoNotice("values.field: expected a word such as publish, replies, mentions or delete")
    user_id = _user_id(payload, value)
    try:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        text.encode()
    except (UnicodeEncodeError, RecursionError):
        raise NoNotice("values.value: expected Unicode text, not nested deeply") from None
    return PlatformNotice(
        event_id=derived_id("platform notice", PLATFORM, user_id, field, text),
        occurred_at=_happened_at(value) or told_at,
        received_at=now,
        platform=PLATFORM,
        user_id=user_id,
        field=field,
        post_id=_id_in(value, "id"),
        body=text,
    )


def _user_id(payload: Mapping[str, Any], value: Mapping[str, Any]) -> str:
    """Return whose account it is about: the webhook's target, else the owner that the value names."""
    owner = value.get("owner") if isinstance(value.get("owner"), dict) else {}
    root = value.get("root_post") if isinstance(value.get("root_post"), dict) else {}
    found = _id_in(payload, "target_id") or _id_in(owner, "owner_id") or _id_in(root, "owner_id")
    if found is None:
        raise NoNotice("target_id: expected the id of the account that it is about")
    return found


def _id_in(holder: Any, name: str) -> str | None:  # noqa: ANN401 - of JSON
    found = holder.get(name)
    is_number = isinstance(found, int) and not isinstance(found, bool)
    return str(found) if (is_number or isinstance(found, str)) and _ID.fullmatch(str(found)) else None


def _happened_at(value: Mapping[str, Any]) -> datetime | None:
    for name in ("deleted_at", "timestamp"):
        try:
            moment = datetime.fromisoformat(str(value[name]))
        except (KeyError, ValueError):
            continue
        if moment.tzinfo is not None and moment.year > 1:
            at = moment.astimezone(UTC)
            return at.replace(microsecond=at.microsecond // 1_000 * 1_000)
    return None


def texts_in(notice: PlatformNotice) -> Iterator[str]:
    """Yield the text that a notice tells, if it tells one."""
    text = json.loads(notice.body).get("text")
    if isinstance(text, str) and text:
        yield text
