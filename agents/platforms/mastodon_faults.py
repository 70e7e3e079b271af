"""What errors of Mastodon mean: by status and, where that leaves it open, by what the server says.

Source: its documentation of the API's methods (each lists its errors) and of rate limits.
"""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

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

RESET = "x-ratelimit-reset"
_UNCLEAR = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY})
_OF_SCOPES = "authorized scopes"
_OF_THE_ACCOUNT = "your login is "  # currently disabled, pending approval, missing a confirmed e-mail address


def fault_of(account: Account, call: Call, answer: Answer, permission: str, now: datetime) -> PlatformError | None:
    """Return the fault that an answer tells, with what to do; None where it tells none.

    `permission` is the scope that the call takes.
    """
    status, error = answer.status, text_of(answer.fields().get("error"))
    if status < HTTPStatus.BAD_REQUEST:
        return None
    says = said(error, account) or f"status {status}"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _UNCLEAR:
        return call.unclear(f"the server has a fault of its own: {says}")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait_s = until_reset_s(answer.headers, RESET, now)
        when = "in a while" if wait_s is None else f"in {wait_s:,.0f} s"
        return Throttled(f"too many calls or posts, nothing was done: go on {when}; {says}", wait_s)
    if error is None:  # of a proxy, which knows nothing of tokens and posts
        return call.unclear(f"the server answered {status} without saying why")
    return _refusal(status, says, repr(account.account_id), permission)


def _refusal(status: int, says: str, name: str, permission: str) -> PlatformError:
    if status == HTTPStatus.UNAUTHORIZED:
        return TokenRejected(f"the token of the account {name} was revoked: add the account again; {says}")
    if status == HTTPStatus.FORBIDDEN:
        return _forbidden(name, says, permission)
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        return NotThere(f"what was asked for is not on the server, or not for this account; {says}")
    return Refused(f"the server does not take this post as it is: change what it names; {says}")


def _forbidden(name: str, says: str, permission: str) -> PlatformError:
    if _OF_SCOPES in says.lower():
        why = f"the account {name} lacks the permission {permission}: make a token with it, and add the account again"
        return PermissionMissing(f"{why}; {says}", permission)
    if says.lower().startswith(_OF_THE_ACCOUNT):
        return Restricted(
            f"the server restricted the account {name}: look there what it asks for; nothing is tried again; {says}"
        )
    return Refused(f"the server does not let the account {name} do this; {says}")
