"""When a token is refreshed, and which permissions are missed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest
from pydantic import SecretStr

from agents.accounts.directory import in_force, with_state
from agents.accounts.permissions import BLOCKED_WITHOUT, missing_permissions
from agents.accounts.platform_http import PlatformHttp
from agents.accounts.refresh import has_ended, is_due, may_refresh, together
from agents.accounts.threads_oauth import SCOPES, ThreadsOAuth
from agents.accounts.token_sources import AccountError, BlueskyPasswords
from tests.support.accounts import NOW, account_record

AHEAD = timedelta(days=14)
DAY = timedelta(days=1)
HTTP = cast("PlatformHttp", None)  # the rules call nobody
THREADS = ThreadsOAuth(HTTP, "1", SecretStr("secret"), lambda: NOW)


@pytest.mark.parametrize(
    ("ends_in", "age", "due"),
    [
        (14 * DAY, DAY, True),
        (14 * DAY + timedelta(seconds=1), DAY, False),
        (DAY, timedelta(hours=23), False),
        (timedelta(seconds=1), 59 * DAY, True),
        (timedelta(0), 60 * DAY, False),
        (None, 29 * DAY, False),
        (None, 30 * DAY, True),
    ],
)
def test_a_token_is_refreshed_ahead_of_its_end_and_never_before_it_is_a_day_old(
    ends_in: timedelta | None, age: timedelta, due: bool
) -> None:
    ends = None if ends_in is None else NOW + ends_in
    record = account_record(token_expires_at=ends, token_refreshed_at=NOW - age)
    assert is_due(record, THREADS, NOW, AHEAD) is due


def test_an_account_that_is_not_active_waits_for_a_person() -> None:
    record = account_record(token_expires_at=NOW + DAY, token_refreshed_at=NOW - 2 * DAY, state="restricted")
    assert not is_due(record, THREADS, NOW, AHEAD)
    assert may_refresh(record, THREADS, NOW)


def test_a_token_that_ended_can_not_be_refreshed() -> None:
    record = account_record(token_expires_at=NOW, token_refreshed_at=NOW - 60 * DAY)
    assert has_ended(record, NOW)
    assert not may_refresh(record, THREADS, NOW)


def test_an_app_password_is_never_refreshed() -> None:
    record = account_record(platform="bluesky", token_refreshed_at=NOW - 400 * DAY)
    assert not may_refresh(record, BlueskyPasswords(HTTP), NOW)


def test_each_missing_permission_is_named_with_what_it_blocks() -> None:
    assert missing_permissions("threads", SCOPES) == {}
    assert list(missing_permissions("threads", set(SCOPES) - {"threads_delete"})) == ["threads_delete"]
    assert "deleting" in missing_permissions("threads", ["threads_basic"])["threads_delete"]
    assert all(blocked for each in BLOCKED_WITHOUT.values() for blocked in each.values())


def test_where_the_platform_does_not_tell_nothing_is_said_to_be_missing() -> None:
    assert missing_permissions("threads", ()) == {}
    assert missing_permissions("bluesky", ["anything"]) == {}


def test_a_wide_scope_of_mastodon_has_the_narrow_ones_in_it() -> None:
    assert missing_permissions("mastodon", ["read", "write"]) == {}
    assert list(missing_permissions("mastodon", ["read", "write:media"])) == ["write:statuses"]


def test_the_address_of_a_login_has_app_state_and_permissions() -> None:
    address = THREADS.authorize_url("https://graph.threads.net/v1.0", "http://127.0.0.1:8797/threads", "a state")
    assert address.startswith("https://threads.net/oauth/authorize?client_id=1&")
    assert "state=a+state" in address
    assert "threads_basic%2Cthreads_content_publish" in address
    assert "secret" not in address


def test_a_login_without_an_app_says_what_to_set() -> None:
    with pytest.raises(AccountError, match="THREADS_APP_ID"):
        ThreadsOAuth(HTTP, None, None, lambda: NOW).authorize_url("https://graph.threads.net/v1.0", "", "")


BEFORE = account_record(token_refreshed_at=NOW - 50 * DAY)
NEWER = account_record(token="newer", token_refreshed_at=NOW)


def test_a_refresh_keeps_what_was_changed_meanwhile() -> None:
    meanwhile = replace(BEFORE, event_id="other", persona_ids=("ada", "bea"), scopes=("threads_basic",))
    found = together(meanwhile, BEFORE, NEWER)
    assert found is not None
    assert (found.persona_ids, found.scopes) == (("ada", "bea"), ("threads_basic",))
    assert (found.token_cipher, found.state) == (NEWER.token_cipher, "active")


def test_a_refresh_answers_a_rejection_of_the_old_token_and_no_restriction() -> None:
    rejected = together(with_state(BEFORE, "token_rejected", "the old one", NOW), BEFORE, NEWER)
    restricted = together(with_state(BEFORE, "restricted", "by the platform", NOW), BEFORE, NEWER)
    assert rejected is not None
    assert restricted is not None
    assert (rejected.state, rejected.reason) == ("active", None)
    assert (restricted.state, restricted.reason) == ("restricted", "by the platform")
    assert restricted.token_cipher == NEWER.token_cipher


def test_a_refresh_gives_way_to_a_removal_and_to_a_newer_token() -> None:
    gone = with_state(BEFORE, "removed", "by hand", NOW + timedelta(seconds=1))
    newest = account_record(token="newest", token_refreshed_at=NOW + timedelta(seconds=1))
    for meanwhile in (None, gone, newest):
        assert together(meanwhile, BEFORE, NEWER) is None
    assert in_force(gone, NEWER) == gone  # nor does it come back where the refresh was on its way


def test_a_state_that_was_found_gives_way_to_whatever_came_meanwhile() -> None:
    rejected = with_state(BEFORE, "token_rejected", "the old one", NOW)
    assert together(replace(BEFORE, event_id="other"), BEFORE, rejected) is None
