"""What errors of Threads mean: one table of code and subcode to a kind of fault, and what to do about each.

From its documentation, that of the Graph API, and what clients were answered (24 with 4279009: the container is not
there yet, or no more, whatever `is_transient` says).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal

from agents.platforms.calls import Answer, Call, said
from agents.platforms.contract import (
    Account,
    NotReady,
    NotThere,
    PermissionMissing,
    PlatformError,
    Refused,
    Restricted,
    Throttled,
    TokenRejected,
)
from agents.platforms.waits import MAX_WAIT_S, asked_s

Kind = Literal["token", "throttled", "not_ready", "restricted", "permission", "not_there", "refused", "away"]
KINDS: Mapping[tuple[int | None, int | None], Kind] = {
    (None, 4279009): "not_ready",
    (None, 4279013): "restricted",
    (None, 2207051): "restricted",
    (368, None): "restricted",
    (190, None): "token",
    (102, None): "token",
    (104, None): "token",
    (4, None): "throttled",
    (17, None): "throttled",
    (32, None): "throttled",
    (613, None): "throttled",
    (9, 2207042): "throttled",
    (100, 33): "not_there",
    (24, None): "not_there",
    (1, None): "away",
    (2, None): "away",
    (10, None): "permission",
    **dict.fromkeys([(code, None) for code in range(200, 300)], "permission"),
    (100, None): "refused",
}
"""Kinds by code and subcode; None stands for any. The most particular that fits holds."""
HOUR_S = 3_600.0
MINUTE_S = 60.0
_PERMISSION = re.compile(r"\bthreads_[a-z_]+\b")
_LINK_LIMIT = "THREADS_API__LINK_LIMIT_EXCEEDED"


@dataclass(frozen=True, slots=True)
class _Told:
    """What the platform told of an error."""

    code: int | None
    subcode: int | None
    message: str
    is_transient: bool

    def kind(self, status: int) -> Kind:
        tried: list[tuple[int | None, int | None]] = [
            (self.code, self.subcode),
            (None, self.subcode),
            (None, self.code),
            (self.code, None),
        ]
        known = next((KINDS[each] for each in tried if each != (None, None) and each in KINDS), None)
        unsure = known in (None, "refused", "not_there")
        if unsure and (status >= HTTPStatus.INTERNAL_SERVER_ERROR or self.is_transient):
            return "away"  # its own trouble, whatever it says of the request
        return known or _KIND_BY_STATUS.get(status, "refused")


_KIND_BY_STATUS: Mapping[int, Kind] = {
    HTTPStatus.UNAUTHORIZED: "token",
    HTTPStatus.FORBIDDEN: "permission",
    HTTPStatus.NOT_FOUND: "not_there",
    HTTPStatus.REQUEST_TIMEOUT: "away",
    HTTPStatus.TOO_MANY_REQUESTS: "throttled",
}


def fault_of(account: Account, call: Call, answer: Answer, permission: str, now: datetime) -> PlatformError | None:
    """Return the fault that an answer tells, with what to do; None where it tells none.

    `permission` is the one that the call takes, for answers that do not name it.
    """
    error = answer.fields().get("error")
    if not isinstance(error, dict):
        if answer.status < HTTPStatus.BAD_REQUEST:
            return None
        if answer.status != HTTPStatus.TOO_MANY_REQUESTS:  # of a proxy, which knows nothing of tokens and posts
            return call.unclear(f"the platform answered {answer.status} without saying why")
        error = {}
    told = _told(error, account)
    kind = told.kind(answer.status)
    says = told.message or f"status {answer.status}"
    if kind == "away":
        return call.unclear(f"the platform has a fault of its own: {says}")
    if kind == "permission":
        named = _PERMISSION.search(told.message)
        return _permission_missing(account, named.group(0) if named else permission, says)
    if kind == "throttled":
        wait_s = retry_after_s(answer.headers, now)
        when = "in a while" if wait_s is None else f"in {wait_s:,.0f} s"
        return Throttled(f"too many calls or posts, nothing was done: go on {when}; {says}", wait_s)
    return _plain(kind, says, account)


def _told(error: Mapping[str, Any], account: Account) -> _Told:
    user = said(error.get("error_user_msg"), account)
    message = said(error.get("message"), account)
    return _Told(
        code=_number(error.get("code")),
        subcode=_number(error.get("error_subcode")),
        message=f"{message} ({user})" if user and user not in message else message,
        is_transient=error.get("is_transient") is True,
    )


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _permission_missing(account: Account, permission: str, says: str) -> PermissionMissing:
    return PermissionMissing(
        f"the account {account.account_id!r} lacks the permission {permission}: grant it to the app, and add the"
        f" account again; {says}",
        permission,
    )


def _plain(kind: Kind, says: str, account: Account) -> PlatformError:
    name = repr(account.account_id)
    if kind == "token":
        return TokenRejected(f"the token of the account {name} is expired or revoked: add the account again; {says}")
    if kind == "restricted":
        return Restricted(
            f"the platform restricted the account {name}: look there what it asks for; nothing is tried again; {says}"
        )
    if kind == "not_ready":
        return NotReady(
            f"the container is not there yet, or no more: look at its status, wait, or make it again; {says}"
        )
    if kind == "not_there":
        return NotThere(f"what was asked for is not on the platform, or not for this account; {says}")
    if _LINK_LIMIT in says:
        return Refused(f"the post has too many links: leave some out; {says}")
    return Refused(f"the platform does not take this post as it is: change what it names; {says}")


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the wait that an answer asks for, in seconds up to a day; None where it does not say.

    `Retry-After` holds; else the time until calls are let through again, in minutes, of X-Business-Use-Case-Usage; else
    what X-App-Usage says of the last hour's calls and time, in per cent: when as much of it will have gone by.
    """
    waits = [*asked_s(headers.get("retry-after"), now)] or [*_regained(headers.get("x-business-use-case-usage"))]
    waits = waits or [*_used_up(headers.get("x-app-usage"))]
    return min(max(waits), MAX_WAIT_S) if waits else None


def _regained(header: str | None) -> Iterator[float]:
    for uses in _json_object(header).values():
        for use in uses if isinstance(uses, list) else []:
            minutes = use.get("estimated_time_to_regain_access") if isinstance(use, dict) else None
            if (found := _amount(minutes)) > 0:
                yield found * MINUTE_S


def _used_up(header: str | None) -> Iterator[float]:
    for percent in map(_amount, _json_object(header).values()):
        if percent >= 100:  # noqa: PLR2004 - per cent
            yield max(HOUR_S * (percent - 100) / percent, MINUTE_S)


def _json_object(header: str | None) -> Mapping[str, Any]:
    try:
        found = json.loads(header or "")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _amount(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return 0.0
