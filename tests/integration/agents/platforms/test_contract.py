"""The promises of `Platform`, held by every client against a server of its platform on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from agents.platforms.contract import (
    Account,
    LivePost,
    NotReady,
    NotThere,
    OutcomeUnknown,
    Outgoing,
    PermissionMissing,
    PlatformAway,
    PlatformError,
    Refused,
    Restricted,
    Throttled,
    TokenRejected,
)
from streams.wall_clock import utc_now
from tests.support.platforms.harness import RETRY_AFTER_S, Fault, PlatformHarness
from tests.support.platforms.harnesses import SERVERS, Harnesses
from tests.support.until import until

MISSING = "17999999999999999"


@pytest.fixture(scope="module", params=sorted(SERVERS))
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harnesses]:
    """The server of a platform, which opens harnesses."""
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as harnesses:
        yield harnesses


@pytest.fixture
async def harness(opened: Harnesses) -> AsyncIterator[PlatformHarness]:
    async with opened() as of_this_test:
        yield of_this_test


def part(text: str, key: str = "part-1", reply_to: str | None = None) -> Outgoing:
    return Outgoing(key=key, text=text, reply_to=reply_to)


async def made(harness: PlatformHarness, account: Account, outgoing: Outgoing) -> str:
    """Return a container that can be published."""
    container_id = await harness.platform.create_container(account, outgoing)
    await harness.ready(account, container_id)
    return container_id


async def published(harness: PlatformHarness, account: Account, outgoing: Outgoing) -> str:
    container_id = await made(harness, account, outgoing)
    return await harness.platform.publish(account, outgoing, container_id)


async def texts(harness: PlatformHarness, account: Account) -> list[str]:
    return [each.text for each in await harness.truth(account)]


async def later_than(at: datetime) -> datetime:
    """Return a time of a later second, which platforms that tell times in seconds can tell apart."""
    await until(lambda: utc_now().replace(microsecond=0) > at)
    return utc_now()


async def test_a_post_is_there_once_and_is_read_back_as_it_is(harness: PlatformHarness) -> None:
    account = await harness.account("reads")
    began = utc_now()
    text = "Tea at four. Кава о п'ятій ☕\n\nhttps://example.com/a?b=1"
    post_id = await published(harness, account, part(text))
    [true] = await harness.truth(account)
    assert (true.post_id, true.text) == (post_id, text)
    post = await harness.platform.post(account, post_id)
    assert (post.post_id, post.text, post.reply_to) == (post_id, text, None)
    assert post.published_at is not None
    assert began - timedelta(seconds=1) <= post.published_at <= utc_now()
    assert [each.post_id for each in await harness.platform.posts(account, began.replace(microsecond=0))] == [post_id]


async def test_a_thread_is_root_and_replies_in_order_and_all_are_own_posts(harness: PlatformHarness) -> None:
    account = await harness.account("thread")
    began = utc_now().replace(microsecond=0)
    root = await published(harness, account, part("One.", "thread-1"))
    second = await published(harness, account, part("Two.", "thread-2", root))
    third = await published(harness, account, part("Three.", "thread-3", second))
    assert [(each.post_id, each.reply_to) for each in await harness.truth(account)] == [
        (root, None),
        (second, root),
        (third, second),
    ]
    listed = await harness.platform.posts(account, began)
    assert {each.post_id: each.reply_to for each in listed} == {root: None, second: root, third: second}
    assert await harness.platform.posts(account, utc_now() + timedelta(days=1)) == []


@pytest.mark.parametrize("fault", ["cut_after", "malformed_after"])
@pytest.mark.parametrize("is_reply", [False, True])
async def test_a_post_whose_answer_is_lost_is_found_and_is_one_though_published_again(
    harness: PlatformHarness, fault: Fault, is_reply: bool
) -> None:
    account = await harness.account(f"lost-{fault.replace('_', '-')}-{is_reply}".lower())
    root = await published(harness, account, part("The root.", "root")) if is_reply else None
    outgoing = part("  Lost and found. e\u0301\r\nAgain. ", "lost", root)
    container_id = await made(harness, account, outgoing)
    began = utc_now()
    await harness.inject(account, fault)
    with pytest.raises(OutcomeUnknown, match="read back"):
        await harness.platform.publish(account, outgoing, container_id)
    true = (await harness.truth(account))[-1]
    found = await harness.platform.find(account, outgoing, container_id, began)
    assert found is not None
    assert (found.post_id, found.reply_to) == (true.post_id, root)
    again = await tried(harness, account, outgoing, container_id)
    assert again in (true.post_id, None)
    assert len(await harness.truth(account)) == (2 if is_reply else 1)


async def tried(harness: PlatformHarness, account: Account, outgoing: Outgoing, container_id: str) -> str | None:
    """Publish; return the post's id, None where it must be read back: any other fault is none that may come."""
    try:
        return await harness.platform.publish(account, outgoing, container_id)
    except (OutcomeUnknown, NotReady):
        return None


async def test_a_time_out_after_the_post_was_made_is_found(harness: PlatformHarness) -> None:
    account = await harness.account("time-out-after")
    outgoing = part("Made, and nobody said so.", "silent")
    container_id = await made(harness, account, outgoing)
    began = utc_now()
    await harness.inject(account, "silence_after")
    with pytest.raises(OutcomeUnknown, match="did not answer within"):
        await harness.impatient.publish(account, outgoing, container_id)
    found = await harness.platform.find(account, outgoing, container_id, began)
    assert [each.post_id for each in await harness.truth(account)] == [found.post_id if found else None]


@pytest.mark.parametrize("fault", ["cut_before", "silence_before", "server_fault"])
async def test_a_failure_before_the_post_was_made_is_proven_and_the_same_container_is_published(
    harness: PlatformHarness, fault: Fault
) -> None:
    account = await harness.account(f"before-{fault.replace('_', '-')}")
    outgoing = part("Not yet.", "before")
    container_id = await made(harness, account, outgoing)
    began = utc_now()
    await harness.inject(account, fault)
    client = harness.impatient if fault == "silence_before" else harness.platform
    with pytest.raises(OutcomeUnknown):
        await client.publish(account, outgoing, container_id)
    assert await harness.platform.find(account, outgoing, container_id, began) is None
    post_id = await harness.platform.publish(account, outgoing, container_id)
    assert [each.post_id for each in await harness.truth(account)] == [post_id]


async def test_the_same_text_of_before_is_not_taken_for_the_post(harness: PlatformHarness) -> None:
    account = await harness.account("twice-before")
    before = [await published(harness, account, part("Good morning.", f"morning-{day}")) for day in range(2)]
    outgoing = part("Good morning.", "morning-3")
    container_id = await made(harness, account, outgoing)
    began = await later_than(utc_now())
    assert await harness.platform.find(account, outgoing, container_id, began) is None
    at_once = began - timedelta(days=1)  # as if they had been made in the same second
    assert await harness.platform.find(account, outgoing, container_id, at_once, known=before) is None
    await harness.inject(account, "cut_after")
    with pytest.raises(OutcomeUnknown):
        await harness.platform.publish(account, outgoing, container_id)
    found = await harness.platform.find(account, outgoing, container_id, began)
    assert found is not None
    assert found.post_id not in before
    assert len(await harness.truth(account)) == 3


async def test_two_tasks_that_publish_one_container_make_one_post(harness: PlatformHarness) -> None:
    account = await harness.account("two-tasks")
    outgoing = part("Only once.", "once")
    container_id = await made(harness, account, outgoing)
    began = utc_now()
    answers = await asyncio.gather(*(tried(harness, account, outgoing, container_id) for _ in range(5)))
    [true] = await harness.truth(account)
    assert set(answers) <= {true.post_id, None}
    assert true.post_id in answers
    found = await harness.platform.find(account, outgoing, container_id, began)
    assert found is not None
    assert found.post_id == true.post_id


async def test_a_deleted_post_is_gone_and_deleting_it_again_is_no_error(harness: PlatformHarness) -> None:
    account = await harness.account("deletes")
    post_id = await published(harness, account, part("Gone soon."))
    await harness.platform.delete(account, post_id)
    await harness.platform.delete(account, post_id)
    assert await harness.truth(account) == []
    with pytest.raises(NotThere):
        await harness.platform.post(account, post_id)
    with pytest.raises(NotThere):
        await harness.platform.post_insights(account, post_id)
    assert await harness.platform.posts(account, datetime(2026, 1, 1, tzinfo=UTC)) == []


async def test_a_post_deleted_by_hand_is_not_there(harness: PlatformHarness) -> None:
    account = await harness.account("by-hand")
    post_id = await published(harness, account, part("Gone already."))
    await harness.remove(account, post_id)
    with pytest.raises(NotThere):
        await harness.platform.post(account, post_id)
    await harness.platform.delete(account, post_id)


async def test_a_deletion_whose_answer_is_lost_is_unknown_and_may_be_repeated(harness: PlatformHarness) -> None:
    account = await harness.account("lost-deletion")
    post_id = await published(harness, account, part("Was it deleted?"))
    await harness.inject(account, "malformed_after", "delete")
    with pytest.raises(OutcomeUnknown):
        await harness.platform.delete(account, post_id)
    await harness.platform.delete(account, post_id)
    assert await harness.truth(account) == []


async def test_what_is_published_uses_up_the_quota(harness: PlatformHarness) -> None:
    account = await harness.account("quota")
    before = await harness.platform.quota(account)
    root = await published(harness, account, part("One of many.", "quota-1"))
    await published(harness, account, part("And a reply.", "quota-2", root))
    after = await harness.platform.quota(account)
    assert after.window_s > 0
    assert (after.limit, after.replies_limit) == (before.limit, before.replies_limit)
    if before.used is not None and after.used is not None:
        with_replies = 1 if before.replies_used is not None else 2
        assert after.used - before.used == with_replies
    if before.replies_used is not None and after.replies_used is not None:
        assert after.replies_used - before.replies_used == 1


async def test_a_throttled_call_says_how_long_to_wait_and_did_nothing(harness: PlatformHarness) -> None:
    account = await harness.account("throttled")
    outgoing = part("Too fast.")
    container_id = await made(harness, account, outgoing)
    await harness.inject(account, "throttled")
    with pytest.raises(Throttled) as caught:
        await harness.platform.publish(account, outgoing, container_id)
    assert caught.value.retry_after_s == pytest.approx(RETRY_AFTER_S, abs=2)
    assert await harness.truth(account) == []


async def test_a_revoked_token_is_told_by_every_call_and_is_in_no_message(harness: PlatformHarness) -> None:
    account = await harness.account("revoked")
    outgoing = part("No longer.")
    container_id = await made(harness, account, outgoing)
    post_id = await published(harness, account, part("Before.", "before"))
    await harness.revoke(account)
    now = utc_now()
    calls = [
        harness.platform.publish(account, outgoing, container_id),
        harness.platform.find(account, outgoing, container_id, now),
        harness.platform.post(account, post_id),
        harness.platform.posts(account, now),
        harness.platform.delete(account, post_id),
        harness.platform.post_insights(account, post_id),
        harness.platform.profile(account),
    ]
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(outcome, TokenRejected), outcome
        assert account.token not in f"{outcome} {outcome!r}"
    assert account.token not in repr(account)
    assert len(await harness.truth(account)) == 1


async def test_a_token_that_is_none_is_rejected(harness: PlatformHarness) -> None:
    account = await harness.account("no-token")
    for token in ("", "two words", "new\nline", "ключ"):
        with pytest.raises(TokenRejected, match="add the account again"):
            await harness.platform.profile(replace(account, token=token))


async def test_a_restricted_account_publishes_nothing(harness: PlatformHarness) -> None:
    if "restricted" not in harness.faults:
        pytest.skip("the platform has no such answer")
    account = await harness.account("restricted")
    outgoing = part("Not allowed.")
    container_id = await made(harness, account, outgoing)
    await harness.inject(account, "restricted")
    with pytest.raises(Restricted):
        await harness.platform.publish(account, outgoing, container_id)
    assert await harness.truth(account) == []


async def test_a_missing_permission_is_told_by_its_name(harness: PlatformHarness) -> None:
    lacking = await harness.without_permission("lacking")
    if lacking is None:
        pytest.skip("the platform has no permissions")
    account, permission = lacking
    with pytest.raises(PermissionMissing, match=permission) as caught:
        await published(harness, account, part("Not granted."))
    assert caught.value.permission == permission
    assert await harness.truth(account) == []


async def test_a_text_that_is_too_long_is_refused_and_nothing_is_there(harness: PlatformHarness) -> None:
    account = await harness.account("too-long")
    text = "a" * (harness.platform.capabilities.text_limit + 1)
    with pytest.raises(Refused):
        await published(harness, account, part(text))
    assert await harness.truth(account) == []


async def test_a_text_of_just_the_limit_is_taken(harness: PlatformHarness) -> None:
    account = await harness.account("just-so")
    text = "a" * harness.platform.capabilities.text_limit
    await published(harness, account, part(text))
    assert await texts(harness, account) == [text]


async def test_a_container_that_is_not_ready_is_waited_for_and_none_is_missing(harness: PlatformHarness) -> None:
    account = await harness.account("not-ready")
    missing = await harness.platform.container(account, MISSING)
    if not harness.platform.capabilities.has_containers:
        return
    assert missing.status == "missing"
    outgoing = part("In a minute.")
    container_id = await made(harness, account, outgoing)
    assert (await harness.platform.container(account, container_id)).status == "finished"
    await harness.inject(account, "not_ready")
    with pytest.raises(NotReady):
        await harness.platform.publish(account, outgoing, container_id)
    await harness.platform.publish(account, outgoing, container_id)
    assert (await harness.platform.container(account, container_id)).status == "published"


async def test_a_platform_that_is_away_did_nothing(harness: PlatformHarness) -> None:
    account = replace(await harness.account("away"), base_url="http://127.0.0.1:9/v1.0")  # discard: nobody listens
    outgoing = part("Nobody hears.")
    for call in (
        harness.platform.publish(account, outgoing, MISSING),
        harness.platform.delete(account, MISSING),
        harness.platform.posts(account, utc_now()),
    ):
        with pytest.raises(PlatformAway, match="again"):
            await call


async def test_no_token_is_sent_over_plain_http_to_another_machine(harness: PlatformHarness) -> None:
    real = replace(await harness.account("plain"), base_url="http://platform.example/v1.0", simulated=False)
    with pytest.raises(Refused, match="https"):
        await harness.platform.profile(real)


async def test_totals_are_those_that_the_platform_has_and_what_it_does_not_tell_is_none(
    harness: PlatformHarness,
) -> None:
    account = await harness.account("totals")
    post_id = await published(harness, account, part("Count me."))
    await harness.engage(account, post_id, likes=3, reposts=2)
    told = await harness.platform.post_insights(account, post_id)
    true = await harness.totals(account, post_id)
    metrics = harness.platform.capabilities.metrics
    assert true["likes"] >= 3
    for metric in ("views", "likes", "replies", "reposts", "quotes", "shares"):
        value = getattr(told, metric)
        assert (value is not None) == (metric in metrics), metric
        assert value is None or value <= true[metric], metric
    assert told.likes is not None
    assert told.likes >= 3


async def test_the_account_knows_its_followers_and_who_it_is(harness: PlatformHarness) -> None:
    account = await harness.account("whoami")
    profile = await harness.platform.profile(account)
    assert (profile.user_id, profile.username) == (account.user_id, account.username)
    now = utc_now()
    numbers = await harness.platform.account_insights(account, now - timedelta(days=20), now)
    assert numbers.followers is not None
    assert numbers.followers >= 0
    assert dict(numbers.clicks) == {}


async def test_clicks_come_by_link_over_all_weeks_that_are_asked_for(harness: PlatformHarness) -> None:
    if not harness.platform.capabilities.has_clicks:
        pytest.skip("the platform counts no clicks")
    account = await harness.account("clicks")
    one, other = "https://example.com/tea?utm_content=1", "https://example.com/coffee"
    for number, url in enumerate((one, other)):
        post_id = await published(harness, account, part(f"Read {url}", f"click-{number}"))
        await harness.click(account, post_id, url, 1_000 + number)
    now = utc_now()
    found = await harness.platform.account_insights(account, now - timedelta(days=30), now + timedelta(days=1))
    assert set(found.clicks) == {one, other}
    assert found.clicks[one] >= 1_000
    assert found.clicks[other] >= 1_001


async def test_ids_are_no_paths(harness: PlatformHarness) -> None:
    account = await harness.account("paths")
    for identity in ("../me", "..", "a/b?c=d#e", " ", "\u0000"):
        with pytest.raises(PlatformError):
            await harness.platform.post(account, identity)


def is_newest_first(posts: list[LivePost]) -> bool:
    times = [each.published_at for each in posts if each.published_at]
    return times == sorted(times, reverse=True)


async def test_many_own_posts_are_read_over_all_pages(harness: PlatformHarness) -> None:
    account = await harness.account("pages")
    began = utc_now().replace(microsecond=0)
    made_ids = [await published(harness, account, part(f"Number {n}.", f"page-{n}")) for n in range(3)]
    found = await harness.platform.posts(account, began)
    assert {each.post_id for each in found} == set(made_ids)
    assert is_newest_first(found)
