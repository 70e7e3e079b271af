"""What answers of Bluesky and Mastodon mean, how long they ask to wait, and the text of a post's HTML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from agents.platforms import bluesky_faults, mastodon_faults
from agents.platforms.calls import Answer, Call
from agents.platforms.contract import (
    Account,
    NotThere,
    OutcomeUnknown,
    PermissionMissing,
    PlatformAway,
    PlatformError,
    Refused,
    Restricted,
    Throttled,
    TokenRejected,
)
from agents.platforms.mastodon_content import text_of_content
from agents.platforms.waits import MAX_WAIT_S, until_reset_s

NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
SECRET = "abcd-efgh-ijkl-mnop"
ADA = Account("ada", "any", "https://platform.example", "1", "ada", SECRET)
GET, ACT = Call("GET", "/x"), Call("POST", "/x", acts=True)
A_LINK = (
    '<p>See <a href="https://example.com/a"><span class="invisible">https://</span><span class="ellipsis">'
    'example.com/</span><span class="invisible">a</span></a></p>'
)
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln"


def answer(status: int, error: str | None = None, message: str | None = None) -> Answer:
    told = {"error": error, "message": message}
    body = json.dumps({name: value for name, value in told.items() if value is not None}).encode()
    return Answer(status, {}, body if error else b"<html>No</html>")


@pytest.mark.parametrize(
    ("status", "error", "message", "kind"),
    [
        (400, "ExpiredToken", "Token has expired", TokenRejected),
        (400, "InvalidToken", "Bad token", TokenRejected),
        (401, "AuthenticationRequired", "Invalid identifier or password", TokenRejected),
        (401, "SomethingNew", "No.", TokenRejected),
        (401, "AccountTakedown", "Account has been taken down", Restricted),
        (400, "RepoDeactivated", "Repo is deactivated", Restricted),
        (403, "Forbidden", "Bad token scope", PermissionMissing),
        (400, "RecordNotFound", "Could not locate record: at://x", NotThere),
        (400, "InvalidRequest", "Could not locate record: at://x", NotThere),
        (400, "InvalidRequest", "Profile not found", NotThere),
        (400, "InvalidRequest", "Invalid app.bsky.feed.post record", Refused),
        (400, "InvalidSwap", "Record was at bafy", bluesky_faults.Taken),
        (413, "PayloadTooLarge", "Too large", Refused),
        (429, "RateLimitExceeded", "Rate Limit Exceeded", Throttled),
        (429, None, None, Throttled),
        (500, "InternalServerError", "Internal Server Error", PlatformAway),
        (502, "UpstreamFailure", "Upstream Failure", PlatformAway),
        (501, "MethodNotImplemented", "No", PlatformAway),
        (404, None, None, PlatformAway),
        (403, None, None, PlatformAway),
        (401, None, None, PlatformAway),
    ],
)
def test_an_error_of_bluesky_has_one_kind(
    status: int, error: str | None, message: str | None, kind: type[PlatformError]
) -> None:
    fault = bluesky_faults.fault_of(ADA, GET, answer(status, error, message), NOW)
    assert type(fault) is kind
    acting = bluesky_faults.fault_of(ADA, ACT, answer(status, error, message), NOW)
    assert type(acting) is (OutcomeUnknown if kind is PlatformAway else kind)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (401, "The access token is invalid", TokenRejected),
        (403, "This action is outside the authorized scopes", PermissionMissing),
        (403, "Your login is currently disabled", Restricted),
        (403, "Your login is currently pending approval", Restricted),
        (403, "This action is not allowed", Refused),
        (404, "Record not found", NotThere),
        (410, "Gone", NotThere),
        (422, "Validation failed: Text character limit of 500 exceeded", Refused),
        (429, "Too many requests", Throttled),
        (429, None, Throttled),
        (409, "Conflict", PlatformAway),
        (500, "Something went wrong", PlatformAway),
        (503, "There was a temporary problem serving your request", PlatformAway),
        (404, None, PlatformAway),
        (403, None, PlatformAway),
        (401, None, PlatformAway),
    ],
)
def test_an_error_of_mastodon_has_one_kind(status: int, error: str | None, kind: type[PlatformError]) -> None:
    fault = mastodon_faults.fault_of(ADA, GET, answer(status, error), "read:statuses", NOW)
    assert type(fault) is kind
    if isinstance(fault, PermissionMissing):
        assert fault.permission == "read:statuses"
    acting = mastodon_faults.fault_of(ADA, ACT, answer(status, error), "write:statuses", NOW)
    assert type(acting) is (OutcomeUnknown if kind is PlatformAway else kind)


def test_what_is_no_error_is_no_fault() -> None:
    assert bluesky_faults.fault_of(ADA, ACT, Answer(200, {}, b"{}"), NOW) is None
    assert mastodon_faults.fault_of(ADA, ACT, Answer(200, {}, b"[]"), "x", NOW) is None


def test_secrets_that_a_server_repeats_are_in_no_message() -> None:
    message = f"Wrong: {SECRET} {JWT} refreshToken={JWT}"
    for fault in (
        bluesky_faults.fault_of(ADA, GET, answer(400, "InvalidRequest", message), NOW),
        mastodon_faults.fault_of(ADA, GET, answer(422, message), "x", NOW),
    ):
        assert SECRET not in str(fault)
        assert "eyJ" not in str(fault)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"reset": "1795770042"}, 42),
        ({"reset": "2026-11-27T09:00:42.000000Z"}, 42),
        ({"reset": "2026-11-27T08:00:00Z"}, 0),
        ({"reset": "2026-11-28T12:00:00Z"}, MAX_WAIT_S),
        ({"reset": "9" * 40}, MAX_WAIT_S),
        ({"reset": "soon"}, None),
        ({"retry-after": "5", "reset": "1795770042"}, 5),
        ({"retry-after": "Fri, 27 Nov 2026 09:00:07 GMT"}, 7),
        ({"retry-after": "soon", "reset": "1795770042"}, 42),
    ],
)
def test_the_wait_is_what_the_headers_say_up_to_a_day(headers: Mapping[str, str], wait_s: float | None) -> None:
    assert until_reset_s(headers, "reset", NOW) == wait_s


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<p>Tea.</p>", "Tea."),
        ("<p>One.<br />Two.</p><p>Three &amp; &lt;four&gt;</p>", "One.\nTwo.\n\nThree & <four>"),
        (A_LINK, "See https://example.com/a"),
        ('<p><span class="h-card"><a href="https://a.example/@bea">@<span>bea</span></a></span> hi</p>', "@bea hi"),
        ("<ul><li>a</li><li>b</li></ul>", "a\nb"),
        ("plain < text", "plain < text"),
        ("", ""),
    ],
)
def test_the_text_of_a_posts_html_is_what_people_read(content: str, text: str) -> None:
    assert text_of_content(content) == text
