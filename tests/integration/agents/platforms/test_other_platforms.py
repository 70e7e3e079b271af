"""What is particular to Bluesky and Mastodon: sessions, keys and references; idempotency, limits and sources."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from agents.accounts.permissions import missing_permissions
from agents.accounts.platform_http import PlatformHttp
from agents.accounts.token_sources import BlueskyPasswords, MastodonTokens
from agents.platforms.bluesky import BlueskyPlatform
from agents.platforms.calls import MAX_ANSWER_BYTES
from agents.platforms.clients import clients
from agents.platforms.contract import (
    Account,
    NotThere,
    OutcomeUnknown,
    Outgoing,
    Platform,
    PlatformAway,
    PostInsights,
    Refused,
    Restricted,
    TokenRejected,
)
from agents.platforms.mastodon import MastodonPlatform
from agents.platforms.settings import PlatformSettings
from streams.settings import Settings
from streams.wall_clock import utc_now
from tests.support.platforms.bluesky_server import BlueskyServer, bluesky_server
from tests.support.platforms.mastodon_server import MastodonServer, mastodon_server
from tests.support.platforms.scripted_server import Told, scripted_server
from tests.support.until import until

SETTINGS = Settings().having(PlatformSettings(platform_timeout_s=60.0))
TIMEOUT_S = 60.0
OPEN, RENEW = "com.atproto.server.createSession", "com.atproto.server.refreshSession"


@pytest.fixture(scope="module")
def bluesky() -> Iterator[tuple[BlueskyServer, str]]:
    with bluesky_server() as there:
        yield there


@pytest.fixture(scope="module")
def mastodon() -> Iterator[tuple[MastodonServer, str]]:
    with mastodon_server() as there:
        yield there


@asynccontextmanager
async def client(kind: type[Platform]) -> AsyncIterator[Platform]:
    platform = clients(SETTINGS)
    try:
        yield platform[kind.name]
    finally:
        for each in platform.values():
            await each.close()


def of_bluesky(there: tuple[BlueskyServer, str], name: str) -> Account:
    user = there[0].add(name)
    return Account(f"acc_{name}", "bluesky", there[1], user.did, user.handle, user.password)


def of_mastodon(there: tuple[MastodonServer, str], name: str, *scopes: str) -> Account:
    user = there[0].add(name, *scopes)
    return Account(f"acc_{name}", "mastodon", there[1], user.account_id, name, user.token)


async def published(platform: Platform, account: Account, outgoing: Outgoing) -> str:
    return await platform.publish(account, outgoing, await platform.create_container(account, outgoing))


# tokens


async def test_an_app_password_that_was_added_publishes(bluesky: tuple[BlueskyServer, str]) -> None:
    user = bluesky[0].add("added")
    async with PlatformHttp(TIMEOUT_S) as http, client(BlueskyPlatform) as platform:
        grant = await BlueskyPasswords(http).grant(bluesky[1], user.password, user.handle)
        account = Account("acc_added", "bluesky", bluesky[1], grant.user_id, grant.username, grant.token)
        await published(platform, account, Outgoing("k", "It works."))
        assert (await platform.profile(account)).user_id == grant.user_id
    assert [each.text for each in bluesky[0].truth(user.did)] == ["It works."]


async def test_a_token_of_mastodon_that_was_added_publishes(mastodon: tuple[MastodonServer, str]) -> None:
    user = mastodon[0].add("added", "read:accounts", "read:statuses", "write:statuses")
    async with PlatformHttp(TIMEOUT_S) as http, client(MastodonPlatform) as platform:
        grant = await MastodonTokens(http).grant(mastodon[1], user.token, None)
        assert missing_permissions("mastodon", grant.scopes) == {}
        account = Account("acc_added", "mastodon", mastodon[1], grant.user_id, grant.username, grant.token)
        post_id = await published(platform, account, Outgoing("k", "It works."))
        assert await platform.find(account, Outgoing("k", "It works."), "c", utc_now() - timedelta(hours=1)) is not None
        assert (await platform.post_insights(account, post_id)).likes == 0
        assert (await platform.account_insights(account, utc_now(), utc_now())).followers == 3
        await platform.delete(account, post_id)
    assert mastodon[0].truth(user.account_id) == []


# Bluesky


async def test_a_session_that_ended_is_renewed_once_for_all_tasks(bluesky: tuple[BlueskyServer, str]) -> None:
    account, server = of_bluesky(bluesky, "renewed"), bluesky[0]
    async with client(BlueskyPlatform) as platform:
        await platform.profile(account)
        server.end_access(account.user_id)
        server.asked.clear()
        told = await asyncio.gather(*(platform.profile(account) for _ in range(8)))
        assert {each.user_id for each in told} == {account.user_id}
        assert (server.asked.count(OPEN), server.asked.count(RENEW)) == (0, 1)
        server.end_access(account.user_id)
        server.users[account.user_id].refreshes.clear()
        server.asked.clear()
        await published(platform, account, Outgoing("k", "With a new session."))
        assert (server.asked.count(OPEN), server.asked.count(RENEW)) == (1, 1)
    assert len(server.truth(account.user_id)) == 1


async def test_a_password_that_was_changed_opens_a_session_of_its_own(bluesky: tuple[BlueskyServer, str]) -> None:
    account, server = of_bluesky(bluesky, "changed"), bluesky[0]
    async with client(BlueskyPlatform) as platform:
        await platform.profile(account)
        server.revoke(account.user_id)
        with pytest.raises(TokenRejected, match="add the account again"):
            await platform.profile(account)
        changed = replace(account, token=server.users[account.user_id].password)
        assert (await platform.profile(changed)).username == account.username


async def test_who_gives_up_waiting_for_a_session_leaves_it_to_the_others_and_closing_ends_it() -> None:
    never = Told(raw=b"{", dripping=True)
    async with scripted_server(lambda _: never) as server, client(BlueskyPlatform) as platform:
        account = Account("ada", "bluesky", server.url, SESSION["did"], "ada", "token")
        one, other = (asyncio.create_task(platform.profile(account)) for _ in range(2))
        await until(lambda: server.asked)
        one.cancel()
        await asyncio.wait([one])
        assert not other.done()
        await platform.close()
        with pytest.raises(asyncio.CancelledError):
            await other
        assert len(server.asked) == 1


async def test_a_session_of_another_account_is_not_used(bluesky: tuple[BlueskyServer, str]) -> None:
    account, other = of_bluesky(bluesky, "mine"), of_bluesky(bluesky, "theirs")
    handle = bluesky[0].users[other.user_id].handle
    async with client(BlueskyPlatform) as platform:
        with pytest.raises(TokenRejected, match="not one of"):
            await platform.profile(replace(account, user_id=handle, token=other.token))


async def test_a_deactivated_account_is_restricted(bluesky: tuple[BlueskyServer, str]) -> None:
    account = of_bluesky(bluesky, "deactivated")
    bluesky[0].users[account.user_id].active = False
    async with client(BlueskyPlatform) as platform:
        with pytest.raises(Restricted, match="deactivated"):
            await published(platform, account, Outgoing("k", "Nobody reads."))


async def test_no_secret_of_bluesky_is_in_a_log(
    bluesky: tuple[BlueskyServer, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    account = of_bluesky(bluesky, "logged")
    async with client(BlueskyPlatform) as platform:
        await published(platform, account, Outgoing("k", "Hello."))
    user = bluesky[0].users[account.user_id]
    for secret in (account.token, *user.accesses, *user.refreshes):
        assert secret not in caplog.text


async def test_the_record_is_as_the_lexicon_has_it_and_stays_as_it_was_first(
    bluesky: tuple[BlueskyServer, str],
) -> None:
    account, server = of_bluesky(bluesky, "lexicon"), bluesky[0]
    outgoing = Outgoing("k", "☕ #tea at https://example.com/a", link="https://example.com/card")
    platform = BlueskyPlatform(SETTINGS, now=lambda: datetime(2026, 11, 27, 9, tzinfo=UTC))
    later = BlueskyPlatform(SETTINGS)
    try:
        post_id = await published(platform, account, outgoing)
        assert await published(later, account, outgoing) == post_id
    finally:
        await platform.close()
        await later.close()
    value = server.record(post_id).value
    assert value["createdAt"] == "2026-11-27T09:00:00.000Z"
    assert [each["index"] for each in value["facets"]] == [
        {"byteStart": 4, "byteEnd": 8},
        {"byteStart": 12, "byteEnd": 33},
    ]
    assert value["embed"]["external"]["uri"] == "https://example.com/card"
    assert len(server.truth(account.user_id)) == 1


async def test_a_reply_of_a_reply_refers_to_the_root(bluesky: tuple[BlueskyServer, str]) -> None:
    account, server = of_bluesky(bluesky, "thread"), bluesky[0]
    async with client(BlueskyPlatform) as platform:
        root = await published(platform, account, Outgoing("1", "One."))
        second = await published(platform, account, Outgoing("2", "Two.", reply_to=root))
        third = await published(platform, account, Outgoing("3", "Three.", reply_to=second))
        reply = server.record(third).value["reply"]
        assert (reply["root"]["uri"], reply["parent"]["uri"]) == (root, second)
        await platform.delete(account, root)
        with pytest.raises(NotThere):
            await published(platform, account, Outgoing("4", "To nobody.", reply_to=root))


async def test_numbers_that_are_not_counted_yet_are_no_sign_of_a_deletion(bluesky: tuple[BlueskyServer, str]) -> None:
    account, server = of_bluesky(bluesky, "indexing"), bluesky[0]
    async with client(BlueskyPlatform) as platform:
        post_id = await published(platform, account, Outgoing("k", "Just now."))
        server.is_indexing = False
        try:
            assert await platform.post_insights(account, post_id) == PostInsights()
            await platform.delete(account, post_id)
            with pytest.raises(NotThere):
                await platform.post_insights(account, post_id)
        finally:
            server.is_indexing = True


async def test_nobody_elses_post_is_deleted(bluesky: tuple[BlueskyServer, str]) -> None:
    account, other = of_bluesky(bluesky, "deleting"), of_bluesky(bluesky, "kept")
    async with client(BlueskyPlatform) as platform:
        post_id = await published(platform, other, Outgoing("k", "Mine."))
        with pytest.raises(NotThere, match="another account"):
            await platform.delete(account, post_id)
        assert (await platform.post(account, post_id)).text == "Mine."
    assert len(bluesky[0].truth(other.user_id)) == 1


# Mastodon


async def test_after_the_hour_of_its_key_a_post_is_found_by_what_it_was_made_of(
    mastodon: tuple[MastodonServer, str],
) -> None:
    account, server = of_mastodon(mastodon, "hour"), mastodon[0]
    outgoing = Outgoing("k", "Thanks @bea@other.example, see https://example.com/a?b=1&c=2 <3\r\n\r\n\r\nBye ")
    async with client(MastodonPlatform) as platform:
        began = utc_now()
        other = await published(platform, account, Outgoing("o", "Thanks @bea@another.example, see nothing"))
        server.faults.inject(account.user_id, "cut_after", "publish")
        with pytest.raises(OutcomeUnknown, match="read back"):
            await published(platform, account, outgoing)
        server.forget_keys()
        found = await platform.find(account, outgoing, "any", began)
        assert found is not None
        assert found.post_id == server.truth(account.user_id)[-1].post_id
        assert found.permalink == f"https://mastodon.example/@hour/{found.post_id}"
        assert await platform.find(account, outgoing, "any", began, known={found.post_id}) is None
        assert await platform.find(account, replace(outgoing, reply_to=other), "any", began) is None
        assert await platform.find(account, replace(outgoing, text="Thanks @bea@else.example"), "any", began) is None


async def test_a_servers_own_limit_is_told_before_it_is_asked_to_post(mastodon: tuple[MastodonServer, str]) -> None:
    account, server = of_mastodon(mastodon, "limit"), mastodon[0]
    server.max_characters = 100
    try:
        async with client(MastodonPlatform) as platform:
            with pytest.raises(Refused, match="110 of 100 characters"):
                await platform.create_container(account, Outgoing("k", "a" * 110))
            await published(platform, account, Outgoing("k", "a" * 76 + " https://example.com/" + "b" * 200))
            server.max_characters = 10
            with pytest.raises(Refused, match="limit of 10"):
                await published(platform, account, Outgoing("k2", "a" * 50))
    finally:
        server.max_characters = 500


async def test_a_server_that_tells_no_limit_is_asked_to_post(mastodon: tuple[MastodonServer, str]) -> None:
    account, server = of_mastodon(mastodon, "no-limit"), mastodon[0]
    server.max_characters = None
    try:
        async with client(MastodonPlatform) as platform:
            await published(platform, account, Outgoing("k", "a" * 499))
    finally:
        server.max_characters = 500
    assert len(server.truth(account.user_id)) == 1


async def test_a_link_beside_the_text_goes_to_its_end_once(mastodon: tuple[MastodonServer, str]) -> None:
    account, server = of_mastodon(mastodon, "link"), mastodon[0]
    link = "https://example.com/a"
    async with client(MastodonPlatform) as platform:
        began = utc_now()
        outgoing = Outgoing("k", "Read this. ", link=link)
        await published(platform, account, outgoing)
        await published(platform, account, Outgoing("l", f"Read {link}", link=link))
        assert [each.text for each in server.truth(account.user_id)] == [f"Read this.\n\n{link}", f"Read {link}"]
        assert await platform.find(account, outgoing, "any", began) is not None


async def test_a_servers_limit_is_asked_for_once_an_hour(mastodon: tuple[MastodonServer, str]) -> None:
    account, server = of_mastodon(mastodon, "hourly"), mastodon[0]
    times_s = iter((1.0, 1.0, 2.0, 3_600.0, 3_601.0, 3_601.0, 3_602.0))  # asking takes two looks at the clock
    platform = MastodonPlatform(SETTINGS, monotonic=lambda: next(times_s))
    try:
        server.asked.clear()
        for _ in range(5):
            await platform.create_container(account, Outgoing("k", "Hi."))
        assert server.asked == ["GET /api/v2/instance"] * 2
    finally:
        await platform.close()


# hostile answers

UNCLEAR = {
    "no JSON": Told(raw=b'{"id": "1"'),
    "HTML": Told(raw=b"<html>Sorry</html>", headers={"content-type": "text/html"}),
    "nothing": Told(raw=b""),
    "nesting": Told(raw=b"[" * 100_000),
    "no field": Told({"ok": True}),
    "fields of other types": Told({"id": None, "uri": 1, "cid": [], "feed": {}, "posts": 1, "did": 2, "value": "x"}),
    "502": Told(raw=b"<html>Bad gateway</html>", status=502),
    "403 of a proxy": Told(raw=b"<html>Forbidden</html>", status=403),
    "a redirect": Told(status=307, headers={"location": "/elsewhere"}),
    "too large": Told(raw=b'{"id": "' + b"1" * MAX_ANSWER_BYTES + b'"}'),
    "cut": Told(raw=b'{"id":', headers={"content-length": "100"}),
}
SESSION = {"did": "did:plc:ada", "handle": "ada.example", "accessJwt": "a", "refreshJwt": "r"}
HELLO = Outgoing("k", "Hello.")


@pytest.mark.parametrize("kind", [BlueskyPlatform, MastodonPlatform], ids=["bluesky", "mastodon"])
async def test_an_unclear_answer_is_away_for_what_can_be_repeated_and_unknown_for_what_acts(
    kind: type[Platform],
) -> None:
    answers = [Told()]
    async with (
        scripted_server(lambda asked: SESSION if asked.path.endswith("createSession") else answers[0]) as server,
        client(kind) as platform,
    ):
        account = Account("ada", kind.name, server.url, SESSION["did"], "ada", "token")
        since = utc_now()
        for name, answers[0] in UNCLEAR.items():
            asking = {
                "post": platform.post(account, "3kabc"),
                "posts": platform.posts(account, since),
                "insights": platform.post_insights(account, "3kabc"),
                "account": platform.account_insights(account, since, since),
                "profile": platform.profile(account),
                "find": platform.find(account, HELLO, "3kabc", since),
            }
            for what, call in asking.items():
                with pytest.raises(PlatformAway):
                    await call
                assert what, name
            with pytest.raises(OutcomeUnknown):
                await platform.publish(account, HELLO, "3kabc")
            if name not in {"no field", "fields of other types"} or kind is MastodonPlatform:
                with pytest.raises(OutcomeUnknown):
                    await platform.delete(account, "3kabc")
        sent = [json.loads(each.body) for each in server.asked if each.path.endswith("createSession")]
        assert sent == ([{"identifier": SESSION["did"], "password": "token"}] if kind is BlueskyPlatform else [])


@pytest.mark.parametrize("answer", [Told({"did": "did:plc:ada"}), Told(raw=b"<html>", status=503), Told([1])])
async def test_a_session_that_does_not_come_about_did_nothing(answer: Told) -> None:
    async with scripted_server(lambda _: answer) as server, client(BlueskyPlatform) as platform:
        account = Account("ada", "bluesky", server.url, SESSION["did"], "ada", "token")
        for call in (platform.publish(account, HELLO, "3kabc"), platform.delete(account, "3kabc")):
            with pytest.raises(PlatformAway, match="again"):
                await call
        assert {each.path for each in server.asked} == {f"/xrpc/{OPEN}"}
