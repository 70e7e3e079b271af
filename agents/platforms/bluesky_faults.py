"""What errors of Bluesky mean: one table of an error's name to a kind of fault, and what to do about each.

Source: the AT Protocol's specification of XRPC (errors have a name and a message), and the lexicons' own names.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Literal

from agents.platforms.answers import text_of
from agents.platforms.calls import Answer, Call, said
from agents.platforms.contract import (
    Account,
    NotThere,
    PermissionMissing,
    PlatformError,
    Refused,
    Restricted,
    Throttled,
    TokenRejected,
)
from agents.platforms.waits import until_reset_s

Kind = Literal["token", "throttled", "restricted", "permission", "not_there", "taken", "refused"]
STALE = frozenset({"ExpiredToken", "InvalidToken"})
"""Errors of a session's token: nothing was done, and another session may do."""
KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(STALE, "token"),
    "AuthenticationRequired": "token",
    "AuthMissing": "token",
    "AuthFactorTokenRequired": "token",
    "RateLimitExceeded": "throttled",
    "AccountTakedown": "restricted",
    "AccountSuspended": "restricted",
    "AccountDeactivated": "restricted",
    "RepoTakendown": "restricted",
    "RepoSuspended": "restricted",
    "RepoDeactivated": "restricted",
    "RecordNotFound": "not_there",
    "RepoNotFound": "not_there",
    "InvalidSwap": "taken",
}
RESET = "ratelimit-reset"
PERMISSION = "app password"
_BY_STATUS: Mapping[int, Kind] = {
    HTTPStatus.UNAUTHORIZED: "token",
    HTTPStatus.FORBIDDEN: "permission",
    HTTPStatus.TOO_MANY_REQUESTS: "throttled",
}
_NOT_THERE = ("could not locate record", "could not find repo", "profile not found", "post not found")
"""What servers say of these under the name InvalidRequest, too."""


class Taken(Refused):
    """There is a record under this key already; nothing was written."""


def fault_of(account: Account, call: Call, answer: Answer, now: datetime) -> PlatformError | None:
    """Return the fault that an answer tells, with what to do; None where it tells none."""
    if answer.status < HTTPStatus.BAD_REQUEST:
        return None
    name = error_name(answer)
    message = said(answer.fields().get("message"), account)
    says = f"{name}: {message}" if name and message else name or message or f"status {answer.status}"
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return call.unclear(f"the platform has a fault of its own: {says}")
    if name is None and answer.status != HTTPStatus.TOO_MANY_REQUESTS:  # of a proxy, which knows nothing of posts
        return call.unclear(f"the platform answered {answer.status} without saying why")
    kind = KINDS.get(name or "") or _BY_STATUS.get(answer.status, "refused")
    if kind == "refused" and message.lower().startswith(_NOT_THERE):
        kind = "not_there"
    if kind == "throttled":
        wait_s = until_reset_s(answer.headers, RESET, now)
        when = "in a while" if wait_s is None else f"in {wait_s:,.0f} s"
        return Throttled(f"too many calls or posts, nothing was done: go on {when}; {says}", wait_s)
    return _plain(kind, says, account)


def error_name(answer: Answer) -> str | None:
    """Return the name of an answer's error."""
    return text_of(answer.fields().get("error"))


def _plain(kind: Kind, says: str, account: Account) -> PlatformError:
    name = repr(account.account_id)
    if kind == "token":
        return TokenRejected(
            f"the app password of the account {name} is none or was revoked: make another one, and add the account"
            f" again; {says}"
        )
    if kind == "restricted":
        return Restricted(
            f"the platform restricted the account {name}: look there what it asks for; nothing is tried again; {says}"
        )
    if kind == "permission":
        why = f"the app password of the account {name} may not do this: make another one, and add the account again"
        return PermissionMissing(f"{why}; {says} ({PERMISSION})", PERMISSION)
    if kind == "not_there":
        return NotThere(f"what was asked for is not on the platform; {says}")
    if kind == "taken":
        return Taken(f"there is a post under this key already: read it back; {says}")
    return Refused(f"the platform does not take this post as it is: change what it names; {says}")
