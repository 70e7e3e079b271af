"""The publisher on Bluesky and Mastodon, by their clients and a server of each: a post once, whatever goes wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from agents.platforms.contract import Account
from tests.support.accounts import record_of
from tests.support.platforms.harness import Fault, PlatformHarness
from tests.support.platforms.harnesses import SERVERS, Harnesses
from tests.support.publishing_stage import PERSONA, VAULT, Driven, World

WITHIN_S = 60.0
FAULTS: list[Fault] = ["cut_before", "cut_after", "malformed_after", "server_fault", "throttled"]


@pytest.fixture(scope="module", params=["bluesky", "mastodon"])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harnesses]:
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as harnesses:
        yield harnesses


@pytest.fixture
async def harness(opened: Harnesses) -> AsyncIterator[PlatformHarness]:
    async with opened() as of_this_test:
        yield of_this_test


class Working(Driven):
    """A life of a worker whose calls go over connections: they take time that the world's clocks do not tell."""

    async def until_true(self, condition: Callable[[], object]) -> None:
        """Act, and let the world's time pass, until a condition holds."""
        deadline = time.monotonic() + WITHIN_S
        while not condition():
            assert time.monotonic() < deadline, f"told: {self.world.names()}"
            await self.take_commands()
            for name in list(self.stage._lanes._lanes):
                self.stage._lanes._go_on(name)
            await asyncio.sleep(0.002)
            if self.stage.idle_flush_due([self.part]):
                await self.checkpoint()
            self.world.clock.pass_by(0.5)


@asynccontextmanager
async def working(harness: PlatformHarness, account: Account) -> AsyncIterator[Working]:
    """Run a worker in a world whose persona has this account alone."""
    record = record_of(account, VAULT, PERSONA)
    world = World(simulator=None)
    world.accounts.append(record.account_id, record)
    worker = Working(world, {account.platform: harness.platform})
    await worker.start()
    try:
        yield worker
        world.check()
    finally:
        await worker.crash()


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_thread_is_there_once_and_in_order_under_the_platforms_name(
    harness: PlatformHarness, fault: Fault
) -> None:
    account = await harness.account(f"publishes-{fault}".replace("_", "-"))
    async with working(harness, account) as worker:
        world = worker.world
        await harness.inject(account, fault)
        one = world.propose("d1", "Tea at https://example.com/tea", "and more of it.")
        await worker.until_true(lambda: len(world.published()) == 2)
        first, second = await harness.truth(account)
        assert (second.text, second.reply_to) == ("and more of it.", first.post_id)
        told = [world.last(one, part) for part in (0, 1)]
        assert [each.post_id for each in told] == [first.post_id, second.post_id]
        assert {each.platform for each in told} == {harness.platform.name}
        assert all(each.permalink for each in told)
        assert {each.source for each in world.published().values()} == {harness.platform.name}


async def test_a_token_that_is_revoked_waits_with_a_reason_and_tells_of_the_account(harness: PlatformHarness) -> None:
    account = await harness.account("revoked-meanwhile")
    async with working(harness, account) as worker:
        world = worker.world
        await harness.revoke(account)
        one = world.propose("d1", "No longer.")
        await worker.until_true(world.account_records)
        assert {each.state for each in world.account_records()} == {"token_rejected"}
        assert "add the account again" in (world.last(one).reason or "")
        assert await harness.truth(account) == []


async def test_what_is_too_long_fails_with_what_to_do_and_a_deletion_deletes(harness: PlatformHarness) -> None:
    account = await harness.account("too-long-here")
    async with working(harness, account) as worker:
        world = worker.world
        long = world.propose("d1", "a" * 501)
        one = world.propose("d2", "Gone soon.")
        await worker.until_true(lambda: world.published() and world.names(long)[-1:] == ["failed"])
        assert "shorten it by" in (world.last(long).reason or "")
        world.command("delete", publication_id=one, requested_by="ann", reason="a typo")
        await worker.until_true(lambda: world.names(one)[-1:] == ["deleted"])
        assert await harness.truth(account) == []


async def test_the_personas_topic_tag_holds_up_no_draft_and_one_that_a_person_wants_is_not_left_out(
    harness: PlatformHarness,
) -> None:
    account = await harness.account("topic-tag")
    async with working(harness, account) as worker:
        world = worker.world
        world.propose("d1", "Of the plan.", topic_tag="tea")
        asked = {"publication_id": "by-hand", "texts": ("By hand.",), "requested_by": "ann", "topic_tag": "tea"}
        world.command("schedule", **asked)
        await worker.until_true(
            lambda: world.published() and world.names("by-hand")[-1:] in (["failed"], ["published"])
        )
        has_tags = harness.platform.capabilities.has_topic_tags
        assert (world.last("by-hand").state == "published") == has_tags
        assert has_tags or "leave topic_tag out" in (world.last("by-hand").reason or "")
        assert "Of the plan." in {each.text for each in await harness.truth(account)}
