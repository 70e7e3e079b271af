"""What the client of Threads asks, and what it makes of answers that no platform should give."""

from __future__ import annotations

import gzip
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.platforms.calls import MAX_ANSWER_BYTES
from agents.platforms.clients import clients
from agents.platforms.contract import (
    Account,
    NotReady,
    OutcomeUnknown,
    Outgoing,
    PlatformAway,
    PlatformError,
    PostInsights,
    Refused,
    TokenRejected,
    Unlisted,
)
from agents.platforms.settings import PlatformSettings
from agents.platforms.threads import INSIGHTS_SINCE, ThreadsPlatform
from streams.settings import Settings
from tests.support.platforms.scripted_server import Answering, Asked, ScriptedServer, Told, scripted_server

TOKEN = "TH-secret-token-0123456789"
USER = "17841400000000001"
CONTAINER = "18000000000000001"
POST = "18000000000000002"
OUTGOING = Outgoing(key="k", text="Good morning.")
SINCE = datetime(2026, 11, 27, 9, 0, 0, 500_000, tzinfo=UTC)
AT = "2026-11-27T09:00:00+0000"
"""A moment after SINCE as the platform tells it."""


def account_at(base_url: str) -> Account:
    return Account(account_id="ada", platform="threads", base_url=base_url, user_id=USER, username="ada", token=TOKEN)


@asynccontextmanager
async def threads(
    answering: Answering, timeout_s: float = 60.0
) -> AsyncIterator[tuple[ThreadsPlatform, Account, ScriptedServer]]:
    platform = ThreadsPlatform(Settings().having(PlatformSettings(platform_timeout_s=timeout_s)))
    try:
        async with scripted_server(answering) as server:
            account = Account(
                account_id="ada",
                platform="threads",
                base_url=f"{server.url}/v1.0/",
                user_id=USER,
                username="a",
                token=TOKEN,
            )
            yield platform, account, server
    finally:
        await platform.close()


def error(code: int, subcode: int | None = None, message: str = "No.", **more: object) -> dict[str, Any]:
    return {"error": {"message": message, "type": "OAuthException", "code": code, "error_subcode": subcode, **more}}


def page(*posts: dict[str, Any], after: str | None = None) -> dict[str, Any]:
    paging = {"cursors": {"before": "b", "after": after}, "next": "http://elsewhere.example/?access_token=x"}
    return {"data": list(posts), "paging": paging if after else {}}


def listed(post_id: str, text: str | None = "Good morning.", at: str | None = AT, **more: object) -> dict[str, Any]:
    return {"id": post_id, "text": text, "timestamp": at, "media_type": "TEXT_POST", **more}


def reading(status: str, *posts: dict[str, Any]) -> Answering:
    """Answer a container's status, and a page of posts."""

    def answering(asked: Asked) -> object:
        is_container = asked.path == f"/v1.0/{CONTAINER}"
        return {"id": CONTAINER, "status": status} if is_container else page(*posts)

    return answering


Asking = Callable[[ThreadsPlatform, Account], Awaitable[object]]
REPEATABLE: dict[str, Asking] = {
    "create_container": lambda client, account: client.create_container(account, OUTGOING),
    "container": lambda client, account: client.container(account, CONTAINER),
    "find": lambda client, account: client.find(account, OUTGOING, CONTAINER, SINCE),
    "post": lambda client, account: client.post(account, POST),
    "posts": lambda client, account: client.posts(account, SINCE),
    "quota": lambda client, account: client.quota(account),
    "post_insights": lambda client, account: client.post_insights(account, POST),
    "account_insights": lambda client, account: client.account_insights(account, SINCE, SINCE + timedelta(days=1)),
    "profile": lambda client, account: client.profile(account),
}
ACTING: dict[str, Asking] = {
    "publish": lambda client, account: client.publish(account, OUTGOING, CONTAINER),
    "delete": lambda client, account: client.delete(account, POST),
}
UNCLEAR: dict[str, Told] = {
    "no JSON": Told(raw=b'{"id": "1"'),
    "a page of HTML": Told(raw=b"<html>Sorry</html>", headers={"content-type": "text/html"}),
    "nothing": Told(raw=b""),
    "a list": Told([1, 2]),
    "nesting without end": Told(raw=b"[" * 100_000),
    "no field that is documented": Told({"ok": True}),
    "500 without a reason": Told(raw=b"", status=500),
    "502 of a proxy": Told(raw=b"<html>Bad gateway</html>", status=502),
    "403 of a proxy": Told(raw=b"<html>Forbidden</html>", status=403),
    "404 of a proxy": Told(raw=b"<html>Not found</html>", status=404),
    "an error of its own": Told(error(2, is_transient=True), status=500),
    "5xx that blames a parameter": Told(error(100), status=503),
    "transient": Told(error(100, is_transient=True), status=400),
    "a redirect": Told(status=307, headers={"location": "/elsewhere"}),
    "too large": Told(raw=b'{"id": "' + b"1" * MAX_ANSWER_BYTES + b'"}'),
    "compressed": Told(raw=gzip.compress(b'{"id": "1"}'), headers={"content-encoding": "gzip"}),
    "cut": Told(raw=b'{"id":', headers={"content-length": "100"}),
}


@pytest.mark.parametrize("answer", UNCLEAR)
async def test_an_unclear_answer_is_away_for_what_can_be_repeated_and_unknown_for_what_acts(answer: str) -> None:
    async with threads(lambda _: UNCLEAR[answer]) as (client, account, server):
        for name, ask in REPEATABLE.items():
            with pytest.raises(PlatformAway) as away:
                await ask(client, account)
            assert "again" in str(away.value), name
        for name, ask in ACTING.items():
            with pytest.raises(OutcomeUnknown) as unknown:
                await ask(client, account)
            assert "read back" in str(unknown.value), name
        assert all(asked.path.startswith("/v1.0/") for asked in server.asked), "redirects are not followed"


@pytest.mark.parametrize("asking", ["post", "publish"])
async def test_an_answer_that_never_ends_is_cut_off(asking: str) -> None:
    async with threads(lambda _: Told(raw=b"{", dripping=True), timeout_s=2.0) as (client, account, _):
        with pytest.raises((PlatformAway, OutcomeUnknown), match="did not answer within 2 s"):
            await {**REPEATABLE, **ACTING}[asking](client, account)


async def test_the_token_is_in_the_header_alone_and_in_no_log_or_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = Told(error(100, message=f"Bad: {TOKEN}, access_token={'x' * 30}"), status=400)
    async with threads(lambda _: echo) as (client, account, server):
        for ask in (*REPEATABLE.values(), *ACTING.values()):
            with pytest.raises(PlatformError) as caught:
                await ask(client, account)
            assert TOKEN not in f"{caught.value!r}"
            assert "xxx" not in f"{caught.value!r}"
        for asked in server.asked:
            assert asked.headers["authorization"] == f"Bearer {TOKEN}"
            assert TOKEN not in asked.target
            assert TOKEN.encode() not in asked.body
    assert TOKEN not in caplog.text


async def test_a_post_is_asked_for_as_documented() -> None:
    async with threads(lambda _: {"id": CONTAINER}) as (client, account, server):
        whole = Outgoing(
            key="k",
            text=" Tea & кава\n🙂 ",
            reply_to=POST,
            topic_tag="tea",
            reply_control="mentioned_only",
            link="https://example.com/?a=1&b=2",
        )
        assert await client.create_container(account, whole) == CONTAINER
        assert await client.create_container(account, OUTGOING) == CONTAINER
        await client.publish(account, whole, CONTAINER)
        first, second, third = server.asked
        assert (first.method, first.path) == ("POST", f"/v1.0/{USER}/threads")
        assert first.form == {
            "media_type": "TEXT",
            "text": whole.text,
            "reply_to_id": POST,
            "reply_control": "mentioned_only",
            "topic_tag": "tea",
            "link_attachment": "https://example.com/?a=1&b=2",
        }
        assert second.form == {"media_type": "TEXT", "text": OUTGOING.text}
        assert (third.path, third.form) == (f"/v1.0/{USER}/threads_publish", {"creation_id": CONTAINER})


@pytest.mark.parametrize(
    ("status", "raises"),
    [("FINISHED", Refused), ("ERROR", Refused), ("PUBLISHED", OutcomeUnknown), ("", OutcomeUnknown)],
)
async def test_a_refused_publish_is_refused_only_where_the_container_is_not_published(
    status: str, raises: type[PlatformError]
) -> None:
    def answering(asked: Asked) -> object:
        return Told(error(100), status=400) if asked.method == "POST" else {"id": CONTAINER, "status": status}

    async with threads(answering) as (client, account, _):
        with pytest.raises(raises):
            await client.publish(account, OUTGOING, CONTAINER)


@pytest.mark.parametrize("answer", [error(24), error(24, 4279009), error(100, 33)])
async def test_a_container_that_is_not_found_is_not_ready_to_publish_and_missing_to_look_at(
    answer: dict[str, Any],
) -> None:
    async with threads(lambda _: Told(answer, status=400)) as (client, account, _):
        with pytest.raises(NotReady):
            await client.publish(account, OUTGOING, CONTAINER)
        assert (await client.container(account, CONTAINER)).status == "missing"


async def test_a_container_tells_why_it_failed() -> None:
    failed = {"id": CONTAINER, "status": "ERROR", "error_message": "UNKNOWN"}
    async with threads(lambda _: failed) as (client, account, _):
        found = await client.container(account, CONTAINER)
        assert (found.status, found.reason) == ("error", "UNKNOWN")


@pytest.mark.parametrize("status", ["FINISHED", "ERROR", "EXPIRED", "PUBLISHED"])
async def test_a_post_of_that_text_and_time_is_found_whatever_the_platform_did_to_the_text(status: str) -> None:
    shown = listed(POST, "Cafe\u0301 au lait \n\nand tea")
    async with threads(reading(status, shown)) as (client, account, _):
        outgoing = Outgoing(key="k", text="  Café\u00a0au lait\r\n\r\nand tea \r\n")
        found = await client.find(account, outgoing, CONTAINER, SINCE)
        assert found is not None
        assert found.post_id == POST


@pytest.mark.parametrize(
    "other",
    [
        listed(POST, "Good evening."),
        listed(POST, "Good morning"),
        listed(POST, None),
        listed(POST, at="2026-11-27T08:59:59+0000"),
        listed(POST, replied_to={"id": "18000000000000009"}),
    ],
    ids=["another text", "a letter less", "no text", "earlier", "a reply"],
)
async def test_another_post_is_not_taken_for_it(other: dict[str, Any]) -> None:
    async with threads(reading("FINISHED", other)) as (client, account, _):
        assert await client.find(account, OUTGOING, CONTAINER, SINCE) is None
    async with threads(reading("FINISHED", listed(POST))) as (client, account, _):
        assert await client.find(account, OUTGOING, CONTAINER, SINCE, known=[POST]) is None


async def test_of_several_alike_the_first_after_the_call_is_meant() -> None:
    posts = [listed("3", at="2026-11-27T09:05:00+0000"), listed("2"), listed("1", at="2026-11-27T08:59:00+0000")]
    async with threads(reading("PUBLISHED", *posts)) as (client, account, _):
        found = await client.find(account, OUTGOING, CONTAINER, SINCE)
        assert found is not None
        assert found.post_id == "2"
        found = await client.find(account, OUTGOING, CONTAINER, SINCE, known=["2", "3"])
        assert found is not None, "a clock that is a minute behind does not hide what is published"
        assert found.post_id == "1"


async def test_a_post_without_a_time_is_rather_taken_for_it_than_posted_twice() -> None:
    async with threads(reading("FINISHED", listed(POST, at=None))) as (client, account, _):
        found = await client.find(account, OUTGOING, CONTAINER, SINCE)
        assert found is not None
        assert (found.post_id, found.published_at) == (POST, None)


async def test_what_is_published_and_not_listed_is_no_proof_of_absence() -> None:
    async with threads(reading("PUBLISHED")) as (client, account, _):
        with pytest.raises(Unlisted, match="again"):
            await client.find(account, OUTGOING, CONTAINER, SINCE)


async def test_what_is_being_made_is_no_proof_of_absence_and_what_expired_is() -> None:
    async with threads(reading("IN_PROGRESS")) as (client, account, server):
        with pytest.raises(NotReady, match="look again"):
            await client.find(account, OUTGOING, CONTAINER, SINCE)
        assert len(server.asked) == 1
    async with threads(reading("EXPIRED")) as (client, account, _):
        assert await client.find(account, OUTGOING, CONTAINER, SINCE) is None


async def test_a_reply_is_looked_for_among_replies_by_its_parent() -> None:
    shown = [listed("2", replied_to={"id": "9"}), listed("1", replied_to={"id": POST})]
    async with threads(reading("PUBLISHED", *shown)) as (client, account, server):
        found = await client.find(account, Outgoing(key="k", text="Good morning.", reply_to=POST), CONTAINER, SINCE)
        assert found is not None
        assert (found.post_id, found.reply_to) == ("1", POST)
        assert server.asked[-1].path == f"/v1.0/{USER}/replies"


async def test_pages_are_followed_by_their_cursors_and_a_cursor_that_stands_still_ends() -> None:
    def answering(asked: Asked) -> object:
        if asked.path.endswith("/replies"):
            return page()
        after = asked.query.get("after")
        return page(listed(f"after {after}"), after={None: "1", "1": "2"}.get(after, "2"))

    async with threads(answering) as (client, account, server):
        found = await client.posts(account, SINCE.replace(microsecond=0))
        assert sorted(each.post_id for each in found) == ["after 1", "after 2", "after None"]
        queries = [asked.query for asked in server.asked if asked.path.endswith("/threads")]
        assert [each.get("after") for each in queries] == [None, "1", "2"]
        assert {each["since"] for each in queries} == {str(int(SINCE.timestamp()))}


async def test_pages_without_end_are_no_proof_of_absence() -> None:
    count = iter(range(10**6))

    def answering(asked: Asked) -> object:
        if asked.path == f"/v1.0/{CONTAINER}":
            return {"id": CONTAINER, "status": "FINISHED"}
        return page(listed(str(next(count)), "Another."), after=str(next(count)))

    async with threads(answering) as (client, account, _):
        with pytest.raises(PlatformAway, match="ask for a later time"):
            await client.find(account, OUTGOING, CONTAINER, SINCE)


async def test_pages_older_than_what_is_asked_for_are_not_read() -> None:
    async with threads(lambda _: page(listed("old", at="2026-11-01T00:00:00+0000"), after="next")) as (
        client,
        account,
        server,
    ):
        assert await client.posts(account, SINCE) == []
        assert len(server.asked) == 2


async def test_reposts_are_no_posts() -> None:
    repost = listed("1", None, media_type="REPOST_FACADE")
    async with threads(lambda _: page(repost, listed("2"))) as (client, account, _):
        assert [each.post_id for each in await client.posts(account, SINCE.replace(microsecond=0))] == ["2"]


@pytest.mark.parametrize(
    ("data", "insights"),
    [
        ([], PostInsights()),
        ([{"name": "views", "values": [{"value": 0}]}], PostInsights(views=0)),
        ([{"name": "likes", "total_value": {"value": 7}}], PostInsights(likes=7)),
        ([{"name": "likes", "values": []}, {"name": "views", "values": None}], PostInsights()),
        ([{"name": "likes", "values": [{"value": None}]}], PostInsights()),
        ([{"name": "likes", "values": [{"value": True}]}], PostInsights()),
        ([{"name": "likes", "values": [{"value": -1}]}], PostInsights()),
        ([{"name": "likes", "values": [{"value": "7"}]}], PostInsights()),
        ([{"name": "other", "values": [{"value": 7}]}], PostInsights()),
    ],
)
async def test_a_metric_that_is_not_told_is_none_and_never_0(data: list[Any], insights: PostInsights) -> None:
    async with threads(lambda _: {"data": data}) as (client, account, server):
        assert await client.post_insights(account, POST) == insights
        assert server.asked[0].query == {"metric": "views,likes,replies,reposts,quotes,shares"}


def account_numbers(asked: Asked) -> object:
    if asked.query["metric"] == "followers_count":
        return {"data": [{"name": "followers_count", "total_value": {"value": 41}}]}
    links = [{"value": 2, "link_url": "https://example.com/a"}, {"value": None, "link_url": "https://example.com/b"}]
    return {"data": [{"name": "clicks", "link_total_values": links}]}


async def test_clicks_are_asked_for_week_by_week_without_gap_and_followers_without_a_range() -> None:
    async with threads(account_numbers) as (client, account, server):
        until = SINCE + timedelta(days=16)
        found = await client.account_insights(account, SINCE, until)
        assert found.followers == 41
        assert dict(found.clicks) == {"https://example.com/a": 6}
        first, *weeks = [asked.query for asked in server.asked]
        assert first == {"metric": "followers_count"}
        times = [(int(each["since"]), int(each["until"])) for each in weeks]
        assert times[0][0] == int(SINCE.timestamp())
        assert times[-1][1] == int(until.timestamp())
        assert [end for _, end in times[:-1]] == [start for start, _ in times[1:]]
        assert all(end - start <= 7 * 86_400 for start, end in times)


async def test_clicks_are_not_asked_for_before_the_platform_has_any() -> None:
    async with threads(account_numbers) as (client, account, server):
        await client.account_insights(account, datetime(2020, 1, 1, tzinfo=UTC), INSIGHTS_SINCE + timedelta(days=1))
        await client.account_insights(account, SINCE, SINCE)
        asked = [each.query for each in server.asked if each.query["metric"] == "clicks"]
        assert [int(each["since"]) for each in asked] == [1_712_991_600]


async def test_a_quota_that_is_not_told_is_none() -> None:
    async with threads(lambda _: {"data": []}) as (client, account, _):
        found = await client.quota(account)
        assert (found.used, found.limit, found.window_s) == (None, None, 86_400.0)


async def test_a_deletion_that_is_not_confirmed_is_unknown() -> None:
    async with threads(lambda _: {"success": False}) as (client, account, _):
        with pytest.raises(OutcomeUnknown):
            await client.delete(account, POST)


@pytest.mark.parametrize(
    "base_url",
    [
        "http://graph.threads.example/v1.0",
        "http://127.0.0.1.example.com",
        "ftp://127.0.0.1/",
        "//127.0.0.1",
        "",
        "graph.threads.example",
        "https://u:p@host.example",
        "https://host.example?x=1",
        "https://host.example#x",
        "http://[::",
        "https://host.example:99999",
        "https://",
        "https:///v1.0",
    ],
)
async def test_an_address_that_no_token_may_be_sent_to_is_refused(base_url: str) -> None:
    account = account_at(base_url)
    platforms = clients(Settings())
    try:
        with pytest.raises(Refused, match="add the account again") as caught:
            await platforms["threads"].profile(account)
        assert TOKEN not in str(caught.value)
    finally:
        for each in platforms.values():
            await each.close()


async def test_a_token_that_the_platform_rejects_needs_the_account_again() -> None:
    async with threads(lambda _: Told(error(190, 463), status=400)) as (client, account, _):
        with pytest.raises(TokenRejected, match="add the account again"):
            await client.publish(account, OUTGOING, CONTAINER)
