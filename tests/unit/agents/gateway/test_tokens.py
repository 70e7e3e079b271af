"""Tokens hold until they expire or are revoked, sessions no longer than what they were made with."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.gateway.auth.caller import ALL_TENANTS, ROLES, Caller, RoleName
from agents.gateway.auth.tokens import (
    KEPT_AFTER_END,
    MOST_SESSIONS,
    PREFIX,
    SESSION_LIFETIME,
    TokenBook,
    digest_of,
    ending,
    made_session,
    made_token,
    new_secret,
    revoked,
    rotated,
)
from agents.gateway.problems import Refused
from schemas.records import AccessToken

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
DAY = timedelta(days=1)


MADE = made_token("tagw_a", NOW, name="nightly", role="operator", tenant="acme", created_by="ada", expires_at=NOW + DAY)


def token_with(secret: str = "tagw_a", **changes: Any) -> AccessToken:
    return replace(MADE, digest=digest_of(secret), **changes)


def book_of(*tokens: AccessToken) -> TokenBook:
    book = TokenBook()
    for each in tokens:
        book.take(each)
    return book


def opens(book: TokenBook, secret: str, now: datetime) -> bool:
    token = book.with_digest(digest_of(secret))
    holds = token is not None and book.holds(token, now)
    if holds:
        assert book.caller_with(digest_of(secret), now).tenant == "acme"
    else:
        with pytest.raises(Refused) as caught:
            book.caller_with(digest_of(secret), now)
        assert caught.value.status == 401
    return holds


def test_a_secret_has_256_bits_and_a_prefix_that_scanners_know() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(re.fullmatch(PREFIX + r"[A-Za-z0-9_-]{43}", each) for each in secrets)


def test_a_record_does_not_hold_the_secret() -> None:
    secret = new_secret()
    assert secret not in str(asdict(token_with(secret)))
    assert digest_of(secret) == token_with(secret).digest


def test_a_token_opens_until_it_expires_or_is_revoked() -> None:
    token = token_with()
    assert opens(book_of(token), "tagw_a", NOW)
    assert not opens(book_of(token), "tagw_b", NOW)
    assert opens(book_of(token), "tagw_a", NOW + DAY - timedelta(seconds=1))
    assert not opens(book_of(token), "tagw_a", NOW + DAY)
    assert not opens(book_of(revoked(token, NOW)), "tagw_a", NOW)


def test_a_session_ends_with_its_token_and_after_half_a_day() -> None:
    token = token_with(expires_at=None)
    session = made_session("tags_a", NOW, Caller("ada", "operator", "acme", token.token_id), None)
    assert opens(book_of(token, session), "tags_a", NOW + SESSION_LIFETIME - timedelta(seconds=1))
    assert not opens(book_of(token, session), "tags_a", NOW + SESSION_LIFETIME)
    assert not opens(book_of(revoked(token, NOW), session), "tags_a", NOW)
    assert not opens(book_of(session), "tags_a", NOW)
    of_jwt = made_session("tags_b", NOW, Caller("ada", "operator", "acme"), NOW + timedelta(minutes=5))
    assert opens(book_of(of_jwt), "tags_b", NOW)
    assert not opens(book_of(of_jwt), "tags_b", NOW + timedelta(minutes=5))


def test_a_rotated_token_opens_beside_the_old_one_until_the_overlap_is_over() -> None:
    old = token_with()
    new = rotated(old, "tagw_b", NOW, "grace")
    book = book_of(new, ending(old, NOW, timedelta(hours=2)))
    assert (new.role, new.tenant, new.scopes, new.parent_id) == (old.role, old.tenant, old.scopes, old.token_id)
    assert opens(book, "tagw_a", NOW + timedelta(hours=1))
    assert not opens(book, "tagw_a", NOW + timedelta(hours=2))
    assert opens(book, "tagw_b", NOW + timedelta(hours=23))
    assert ending(old, NOW, timedelta(days=9)).expires_at == old.expires_at


def test_what_ended_long_ago_is_forgotten_and_what_holds_never() -> None:
    book = book_of(token_with(token_id="ended"), token_with("tagw_b", token_id="lasting", expires_at=None))
    assert book.past(NOW + DAY + KEPT_AFTER_END - timedelta(seconds=1)) == []
    assert book.past(NOW + DAY + KEPT_AFTER_END) == ["ended"]


def test_tokens_of_another_tenant_are_as_if_they_were_not_there() -> None:
    book = book_of(token_with(token_id="ours"), token_with("tagw_b", token_id="theirs", tenant="other"))
    ours, everybody = Caller("a", "admin", "acme"), Caller("b", "admin", ALL_TENANTS)
    assert [each.token_id for each in book.seen_by(ours)] == ["ours"]
    assert {each.token_id for each in book.seen_by(everybody)} == {"ours", "theirs"}
    with pytest.raises(Refused) as theirs:
        book.require("theirs", ours)
    with pytest.raises(Refused) as absent:
        book.require("absent", ours)
    assert theirs.value.detail.replace("theirs", "X") == absent.value.detail.replace("absent", "X")
    assert theirs.value.status == 404


def test_a_record_that_replaces_another_leaves_nothing_of_it() -> None:
    book = book_of(token_with("tagw_a", token_id="t"), token_with("tagw_b", token_id="t"))
    assert not opens(book, "tagw_a", NOW)
    assert opens(book, "tagw_b", NOW)


@given(st.sampled_from(ROLES), st.sampled_from(ROLES))
def test_a_role_may_what_those_below_it_may(mine: RoleName, wanted: RoleName) -> None:
    assert Caller("a", mine, "acme").may(wanted) is (ROLES.index(mine) >= ROLES.index(wanted))


@pytest.mark.parametrize(
    ("scopes", "path", "expected"),
    [
        ((), "/v1/anything", True),
        (("/v1/requests",), "/v1/requests", True),
        (("/v1/requests",), "/v1/requests/17", True),
        (("/v1/requests/",), "/v1/requests/17", True),
        (("/v1/requests",), "/v1/requests-of-others", False),
        (("/v1/requests",), "/v1", False),
        (("/v1/drafts", "/v1/requests"), "/v1/requests", True),
    ],
)
def test_a_scope_is_a_prefix_of_whole_segments(scopes: tuple[str, ...], path: str, *, expected: bool) -> None:
    assert Caller("a", "admin", "acme", scopes=scopes).is_in_scope(path) is expected


@given(
    st.lists(st.sampled_from(("/v1/drafts", "/v1/drafts/", "/v1/drafts-x", "/v1", "/", "/V1/drafts", "/v1/drafts/7")))
)
def test_a_token_of_some_scopes_brings_about_none_that_opens_more(scopes: list[str]) -> None:
    caller = Caller("ada", "admin", "acme", scopes=("/v1/drafts",))
    inside = {"/v1/drafts", "/v1/drafts/", "/v1/drafts/7"}
    assert set(caller.beyond(scopes)) == set(scopes or ["/"]) - inside
    assert Caller("ada", "admin", "acme").beyond(scopes) == []


def test_a_caller_has_a_bounded_number_of_sessions_and_the_oldest_go() -> None:
    token, other = token_with(expires_at=None), token_with("tagw_b", token_id="other")
    sessions = [
        made_session(
            f"tags_{index}", NOW + timedelta(seconds=index), Caller("ada", "viewer", "acme", each.token_id), None
        )
        for index in range(MOST_SESSIONS + 2)
        for each in (token, other)
    ]
    book = book_of(token, other, *(replace(each, digest=each.token_id) for each in sessions))
    assert book.surplus(sessions[-2]) == [sessions[0].token_id, sessions[2].token_id]
    assert book_of(token, *sessions[: 2 * MOST_SESSIONS : 2]).surplus(sessions[0]) == []


def test_what_goes_on_for_long_learns_that_its_token_or_the_one_behind_it_was_revoked() -> None:
    token = token_with(expires_at=None)
    session = made_session("tags_a", NOW, Caller("ada", "operator", "acme", token.token_id), None)
    book = book_of(token, session)
    assert book.still_holds(token.token_id, NOW)
    assert book.still_holds(session.token_id, NOW)
    book.take(revoked(token, NOW))
    assert not book.still_holds(token.token_id, NOW)
    assert not book.still_holds(session.token_id, NOW)
    assert not book.still_holds("unknown", NOW)
