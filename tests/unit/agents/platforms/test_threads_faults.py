"""Errors of Threads by code and subcode: the kind of fault, and what to do, in the message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.platforms.calls import Answer, Call
from agents.platforms.contract import (
    Account,
    NotReady,
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
from agents.platforms.threads_faults import fault_of, retry_after_s
from agents.platforms.waits import MAX_WAIT_S

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
TOKEN = "TH-secret-token-0123456789"
ACCOUNT = Account("ada", "threads", "https://graph.threads.net/v1.0", "1", "ada", TOKEN)
READ, PUBLISH = Call("GET", "/me"), Call("POST", "/1/threads_publish", acts=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


def told(
    body: object, status: int = 400, call: Call = READ, headers: Mapping[str, str] | None = None
) -> PlatformError | None:
    answer = Answer(status, headers or {}, json.dumps(body).encode())
    return fault_of(ACCOUNT, call, answer, "threads_basic", NOW)


def error(code: object, subcode: object = None, **more: object) -> dict[str, Any]:
    return {"error": {"message": "No.", "code": code, "error_subcode": subcode, **more}}


@pytest.mark.parametrize(
    ("code", "subcode", "kind", "says"),
    [
        (190, None, TokenRejected, "add the account again"),
        (190, 463, TokenRejected, "add the account again"),
        (4, None, Throttled, "nothing was done"),
        (17, None, Throttled, "nothing was done"),
        (32, None, Throttled, "nothing was done"),
        (613, None, Throttled, "nothing was done"),
        (9, 2207042, Throttled, "nothing was done"),
        (24, 4279009, NotReady, "look at its status, wait, or make it again"),
        (24, None, NotThere, "is not on the platform"),
        (100, 33, NotThere, "is not on the platform"),
        (24, 4279013, Restricted, "nothing is tried again"),
        (4279013, None, Restricted, "nothing is tried again"),
        (4, 2207051, Restricted, "nothing is tried again"),
        (368, None, Restricted, "nothing is tried again"),
        (10, None, PermissionMissing, "lacks the permission threads_basic"),
        (200, None, PermissionMissing, "lacks the permission threads_basic"),
        (299, None, PermissionMissing, "lacks the permission threads_basic"),
        (300, None, Refused, "change what it names"),
        (100, None, Refused, "change what it names"),
        (99_999, None, Refused, "change what it names"),
        (None, None, Refused, "change what it names"),
    ],
)
@pytest.mark.parametrize("call", [READ, PUBLISH])
def test_a_code_has_one_meaning_and_says_what_to_do(
    code: int | None, subcode: int | None, kind: type[PlatformError], says: str, call: Call
) -> None:
    found = told(error(code, subcode), call=call)
    assert type(found) is kind
    assert says in str(found)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, TokenRejected), (403, PermissionMissing), (404, NotThere), (429, Throttled)],
)
def test_a_status_speaks_where_there_is_no_code(status: int, kind: type[PlatformError]) -> None:
    assert type(told(error(None), status)) is kind


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451, 500, 504])
def test_a_status_of_a_proxy_says_nothing_of_tokens_and_posts(status: int) -> None:
    assert type(told("<html>", status)) is PlatformAway
    assert type(told("<html>", status, PUBLISH)) is OutcomeUnknown


def test_a_proxy_may_throttle() -> None:
    assert isinstance(told("<html>", 429, PUBLISH, {"retry-after": "3"}), Throttled)


@pytest.mark.parametrize(("call", "kind"), [(READ, PlatformAway), (PUBLISH, OutcomeUnknown)])
@pytest.mark.parametrize("body", [error(1), error(2, is_transient=True), error(100, is_transient=True)])
def test_a_fault_of_its_own_is_unknown_for_what_acts(body: object, call: Call, kind: type[PlatformError]) -> None:
    assert type(told(body, call=call)) is kind


@pytest.mark.parametrize("code", [190, 613, 4279013])
def test_a_clear_code_holds_though_the_status_is_5xx_or_it_is_called_transient(code: int) -> None:
    assert type(told(error(code, is_transient=True), 500, PUBLISH)) is type(told(error(code)))


def test_what_is_no_error_is_no_fault() -> None:
    assert told({"id": "1"}, 200) is None
    assert told([], 200) is None


def test_the_permission_that_the_platform_names_is_told() -> None:
    found = told(error(10, message="(#10) it needs threads_manage_insights."))
    assert isinstance(found, PermissionMissing)
    assert found.permission == "threads_manage_insights"


def test_too_many_links_say_so() -> None:
    found = told(error(100, message="Param text: THREADS_API__LINK_LIMIT_EXCEEDED"))
    assert isinstance(found, Refused)
    assert "leave some out" in str(found)


def test_what_the_platform_says_is_told_without_secrets_and_not_without_end() -> None:
    said = f"Bad {TOKEN} access_token=abc123&x=1 " + "blah " * 500
    found = str(told(error(100, message=said, error_user_msg="Too bold.")))
    assert TOKEN not in found
    assert "abc123" not in found
    assert "Too bold." in found
    assert len(found) < 800


@given(JSON, st.sampled_from([200, 302, 400, 401, 403, 404, 429, 500, 503]), st.sampled_from([READ, PUBLISH]))
def test_any_error_is_a_fault_of_some_kind_and_no_other_exception(said: object, status: int, call: Call) -> None:
    found = told({"error": said}, status, call)
    assert found is not None or (status < 400 and not isinstance(said, dict))


@given(st.integers(), st.integers() | st.none(), st.sampled_from([400, 403, 500]))
def test_what_acts_is_never_away_with_an_answer(code: int, subcode: int | None, status: int) -> None:
    assert not isinstance(told(error(code, subcode), status, PUBLISH), PlatformAway)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": format_datetime(NOW.replace(minute=1), usegmt=True)}, 60.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "9" * 50}, MAX_WAIT_S),
        ({"x-app-usage": '{"call_count": 100, "total_time": 3, "total_cputime": 2}'}, 60.0),
        ({"x-app-usage": '{"call_count": 10, "total_time": 400}'}, 2_700.0),
        ({"x-app-usage": '{"call_count": 99}'}, None),
        ({"x-app-usage": '{"call_count": NaN, "total_time": "100", "a": true, "b": 1e999}'}, None),
        ({"x-app-usage": "no JSON"}, None),
        ({"x-business-use-case-usage": '{"1": [{"estimated_time_to_regain_access": 19}]}'}, 1_140.0),
        ({"x-business-use-case-usage": '{"1": [null, {}], "2": 3}', "x-app-usage": '{"call_count": 200}'}, 1_800.0),
        ({"retry-after": "7", "x-app-usage": '{"call_count": 200}'}, 7.0),
    ],
)
def test_the_wait_is_what_the_headers_ask_for(headers: dict[str, str], wait_s: float | None) -> None:
    found = told(error(613), headers=headers)
    assert isinstance(found, Throttled)
    assert found.retry_after_s == wait_s
    assert wait_s is None or f"{wait_s:,.0f} s" in str(found)


@given(st.text(), st.text(), st.text())
def test_no_header_breaks_it(asked: str, usage: str, use_case: str) -> None:
    headers = {"retry-after": asked, "x-app-usage": usage, "x-business-use-case-usage": use_case}
    found = retry_after_s(headers, NOW)
    assert found is None or 0 <= found <= MAX_WAIT_S
