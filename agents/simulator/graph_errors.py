"""Errors as Graph APIs answer them.

Codes are those of the documentation of Threads and Instagram as of 2026; those marked (c) were seen in clients only.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any


class GraphError(Exception):
    """A call is refused; `body` is what is answered."""

    def __init__(
        self,
        message: str,
        code: int,
        *,
        subcode: int | None = None,
        status: int = HTTPStatus.BAD_REQUEST,
        kind: str = "OAuthException",
        is_transient: bool = False,
        title: str | None = None,
        told: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.subcode = subcode
        self.status = int(status)
        self.kind = kind
        self.is_transient = is_transient
        self.title = title
        self.told = told
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """Return the answer."""
        error: dict[str, Any] = {"message": self.message, "type": self.kind, "code": self.code}
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
        error["is_transient"] = self.is_transient
        if self.title is not None:
            error["error_user_title"] = self.title
        if self.told is not None:
            error["error_user_msg"] = self.told
        return {"error": {**error, "fbtrace_id": secrets.token_urlsafe(16)[:22]}}


def parameter(message: str, *, told: str | None = None) -> GraphError:
    """Return the refusal of a parameter."""
    return GraphError(message, 100, told=told)


def not_there(thing_id: str, verb: str = "get") -> GraphError:
    """Return the answer about an object that is not there, or not this user's."""
    return GraphError(
        f"Unsupported {verb} request. Object with ID '{thing_id}' does not exist, cannot be loaded due to missing "
        "permissions, or does not support this operation",
        100,
        subcode=33,
        kind="GraphMethodException",
    )


def media_not_found(container_id: str) -> GraphError:
    """Return 4279009: says that it is not transient, and is mended by waiting or another container."""
    return GraphError(
        "The requested resource does not exist",
        24,
        subcode=4279009,
        title="Media Not Found",
        told=f"The media with id {container_id} cannot be found.",
    )


def restricted() -> GraphError:
    """Return 4279013: the account is restricted (c)."""
    return GraphError(
        "The user is restricted from performing this action",
        24,
        subcode=4279013,
        status=HTTPStatus.FORBIDDEN,
        title="Account Restricted",
        told="This account is restricted from publishing.",
    )


def restricted_activity() -> GraphError:
    """Return 2207051: its code is that of throttling, but no wait mends it."""
    return GraphError(
        "Application request limit reached",
        4,
        subcode=2207051,
        status=HTTPStatus.FORBIDDEN,
        title="We restrict certain activity to protect our community",
        told="We restrict certain activity to protect our community. Tell us if you think we made a mistake.",
    )


def throttled(code: int, retry_after_s: int | None = None) -> GraphError:
    """Return the answer to too many calls: 4 of the app, 17 of the user, 32 of the page, 613 of this kind."""
    messages = {
        4: "Application request limit reached",
        17: "User request limit reached",
        32: "Page request limit reached",
        613: "Calls to this api have exceeded the rate limit.",
    }
    status = HTTPStatus.FORBIDDEN if code == 4 else HTTPStatus.BAD_REQUEST  # noqa: PLR2004 - the code of the app's limit
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return GraphError(messages[code], code, status=status, is_transient=True, headers=headers)


def quota_reached(what: str, limit: int) -> GraphError:
    """Return the refusal above a quota of the rolling day."""
    return GraphError(
        f"The user reached the maximum number of {what} that is allowed by the content publishing API.",
        9,
        subcode=2207042,
        status=HTTPStatus.FORBIDDEN,
        title="Too many",
        told=f"You may make {limit} {what} within 24 hours.",
    )


def token_invalid(message: str, subcode: int | None = None) -> GraphError:
    """Return 190; subcode 463 where the token expired, 458 where it was revoked."""
    return GraphError(message, 190, subcode=subcode)


def permission_missing(permission: str) -> GraphError:
    """Return the refusal for want of a permission."""
    return GraphError(
        f"(#10) Application does not have permission for this action: it needs {permission}",
        10,
        status=HTTPStatus.FORBIDDEN,
    )


def server_fault(status: int) -> GraphError:
    """Return a fault of the platform itself."""
    message = "An unexpected error has occurred. Please retry your request later."
    return GraphError(message, 2 if status == HTTPStatus.SERVICE_UNAVAILABLE else 1, status=status, is_transient=True)
