"""What follows from each fault of a platform: one state and one message each, nothing stuck, nothing twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agents.accounts.directory import with_state
from agents.personas.posting import PostingPlan
from schemas.records import PlatformAccount
from tests.support.memory_platform import Fault
from tests.support.publishing_stage import PERSONA, START, VAULT, World, publishing

AGAIN: tuple[Fault, ...] = ("throttled", "away", "not_ready")


def account(**fields: Any) -> PlatformAccount:
    """Return a real account of the persona."""
    sealed = VAULT.seal("threads:1", "a token")
    made = PlatformAccount(
        event_id="account-1",
        occurred_at=START,
        account_id="threads:1",
        platform="threads",
        base_url="https://platform.example",
        user_id="1",
        username="nora",
        persona_ids=(PERSONA,),
        token_cipher=sealed.cipher,
        key_id=sealed.key_id,
        token_refreshed_at=START,
    )
    return replace(made, **fields)


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        *((call, fault) for call in ("create_container", "container", "quota") for fault in (*AGAIN, "broken")),
        *(("publish", fault) for fault in AGAIN),
    ],
)
async def test_a_call_that_may_be_made_again_is(call: str, fault: Fault) -> None:
    async with publishing() as (world, worker):
        world.platform.fault(call, fault, fault)
        one = world.propose("d1")
        await worker.until(world.published)
        assert world.platform.texts() == ["text of d1"]
        assert any(each.reason for each in world.states(one)) or fault == "not_ready"
        world.check()


@pytest.mark.parametrize("fault", ["lost_before", "lost_after", "broken"])
async def test_an_unknown_outcome_is_looked_up_and_published_again_only_where_it_is_not_there(fault: Fault) -> None:
    async with publishing() as (world, worker):
        world.platform.fault("publish", fault)
        one = world.propose("d1")
        await worker.until(world.published)
        assert "unconfirmed" in world.names(one)
        assert world.platform.calls["publish"] == (1 if fault == "lost_after" else 2)
        assert len(world.platform.containers) == 1, "the same container is published again, never another"
        assert world.platform.texts() == ["text of d1"]
        world.check()


async def test_throttled_the_whole_account_waits_as_long_as_the_platform_asks() -> None:
    async with publishing() as (world, worker):
        world.platform.fault("create_container", "throttled")
        world.propose("d1")
        await worker.run()
        world.propose("d2")
        await worker.over(2.5, step_s=0.5)
        assert world.platform.calls["create_container"] == 1
        await worker.until(lambda: len(world.published()) == 2, 10)
        world.check()


@pytest.mark.parametrize("call", ["create_container", "publish"])
async def test_a_refused_text_fails_until_it_is_edited(call: str) -> None:
    async with publishing() as (world, worker):
        world.platform.fault(call, "refused")
        one = world.propose("d1")
        await worker.run()
        failed = world.last(one)
        assert (failed.state, failed.retryable) == ("failed", False)
        assert f"posts edit {one}" in (failed.reason or "")
        world.command("retry", publication_id=one)
        await worker.over(60, step_s=20)
        assert not world.platform.ever
        world.command("edit", publication_id=one, texts=("another text",))
        await worker.until(world.published)
        assert world.platform.texts() == ["another text"]
        world.check()


async def test_a_text_that_grew_over_the_limit_is_refused_before_any_call_with_what_to_do() -> None:
    async with publishing() as (world, worker):
        one = world.propose("d1", "x" * 501)
        thread = "thread"
        world.command("schedule", publication_id=thread, texts=("fine", "y" * 600))
        await worker.run()
        assert world.last(one).state == "failed"
        assert "shorten it by 1" in (world.last(one).reason or "")
        assert [world.last(thread, part).state for part in (0, 1)] == ["failed", "failed"]
        assert "part 2" in (world.last(thread).reason or "")
        assert world.platform.calls["create_container"] == 0
        world.check()


async def test_a_revoked_token_lets_posts_wait_and_they_go_on_by_themselves_when_it_is_renewed() -> None:
    world = World(simulator=None)
    world.accounts.append("threads:1", account())
    async with publishing(world) as (_, worker):
        world.platform.revoked.add("a token")
        one, two = world.propose("d1"), world.propose("d2")
        await worker.over(30, step_s=5)
        for each in (one, two):
            assert world.last(each).state == "scheduled"
            assert "revoked" in (world.last(each).reason or "")
        [told] = world.account_records()
        assert (told.state, told.account_id) == ("token_rejected", "threads:1")
        calls = world.platform.calls.total()
        await worker.over(60, step_s=5)
        assert world.platform.calls.total() == calls, "an account whose token is rejected is not called"
        sealed = VAULT.seal("threads:1", "a new token")
        renewed = replace(with_state(told, "active", None, world.clock.now()), token_refreshed_at=world.clock.now())
        world.accounts.append("threads:1", replace(renewed, token_cipher=sealed.cipher, key_id=sealed.key_id))
        await worker.until(lambda: len(world.published()) == 2)
        assert {each.source for each in world.published().values()} == {"threads"}
        world.check()


async def test_a_restricted_account_fails_what_is_due_and_nothing_is_tried_by_itself() -> None:
    async with publishing() as (world, worker):
        world.platform.fault("publish", "restricted")
        one = world.propose("d1")
        await worker.run()
        assert (world.last(one).state, world.last(one).retryable) == ("failed", True)
        assert "posts retry" in (world.last(one).reason or ""), (
            "by hand, once it is lifted: an edit can't mend a thread"
        )
        [told] = world.account_records()
        assert told.state == "restricted"
        calls = world.platform.calls.total()
        two = world.propose("d2")
        await worker.over(60, step_s=10)
        assert world.last(two).state != "published"
        assert "restricted" in (world.last(two).reason or "")
        assert world.platform.calls.total() == calls
        world.check()


async def test_a_missing_permission_is_named_and_the_post_waits_for_it() -> None:
    async with publishing() as (world, worker):
        world.platform.fault("create_container", "permission")
        one = world.propose("d1")
        await worker.run()
        assert world.last(one).state == "scheduled"
        assert "threads_content_publish" in (world.last(one).reason or "")
        await worker.until(world.published)
        world.check()


async def test_without_an_account_a_post_waits_and_says_what_to_do() -> None:
    world = World(simulator=None)
    async with publishing(world) as (_, worker):
        one = world.propose("d1")
        await worker.over(30, step_s=10)
        assert world.last(one).state == "approved"
        assert "accounts add" in (world.last(one).reason or "")
        world.accounts.append("threads:1", account())
        await worker.until(world.published)
        world.check()


async def test_text_of_the_offline_model_goes_to_no_real_platform_unless_the_operator_says_so() -> None:
    world = World(simulator=None)
    world.accounts.append("threads:1", account())
    offline = "SmolLM2-135M-Instruct.Q4_1"
    async with publishing(world) as (_, worker):
        one = world.propose("d1", model=offline)
        await worker.run()
        assert (world.last(one).state, world.last(one).retryable) == ("failed", False)
        assert "THREADS_PUBLISH_OFFLINE_TEXT" in (world.last(one).reason or "")
        assert world.platform.calls["create_container"] == 0
    async with publishing(world, publish_offline_text=True) as (_, worker):
        world.propose("d2", model=offline)
        await worker.until(world.published)
    async with publishing(World()) as (at_simulator, worker):
        at_simulator.propose("d1", model=offline)
        await worker.until(at_simulator.published)


@pytest.mark.parametrize("asked", ["delete", "heal"])
async def test_a_post_that_is_deleted_on_the_platform_is_deleted_here_once_somebody_notices(asked: str) -> None:
    async with publishing() as (world, worker):
        one = world.propose("d1")
        await worker.until(world.published)
        world.platform.live.clear()
        world.command(asked, publication_id=one, post_id="p0")
        await worker.run()
        assert world.last(one).state == "deleted"
        world.check()


async def test_a_post_is_deleted_though_the_answer_is_lost() -> None:
    async with publishing() as (world, worker):
        one = world.propose("d1")
        await worker.until(world.published)
        world.platform.fault("delete", "throttled", "lost_after")
        world.command("delete", publication_id=one)
        await worker.until(lambda: world.last(one).state == "deleted")
        assert not world.platform.live
        world.check()


async def test_a_used_up_quota_lets_posts_wait_and_the_reservation_counts() -> None:
    async with publishing(publish_at_once=4) as (world, worker):
        world.platform.used, world.platform.limit = 248, 250
        asked = [world.propose(f"d{number}") for number in range(4)]
        await worker.run()
        assert len(world.platform.ever) == 2
        reasons = [world.last(each).reason for each in asked if world.last(each).state != "published"]
        assert len(reasons) == 2
        assert all("quota" in (each or "") for each in reasons)
        world.platform.used = 100
        await worker.until(lambda: len(world.published()) == 4, 3_600, step_s=60)
        world.check()


@pytest.mark.parametrize("end", ["expired", "error"])
async def test_a_container_that_came_to_an_end_is_made_anew_only_if_the_post_is_not_there(end: Any) -> None:
    async with publishing() as (world, worker):
        world.platform.fault("publish", "lost_before")
        one = world.propose("d1")
        await worker.run()
        assert world.names(one)[-1] == "unconfirmed"
        world.platform.set_status("c0", end, "it says why")
        await worker.until(world.published)
        assert [*world.platform.containers] == ["c0", "c1"]
        assert world.platform.texts() == ["text of d1"]
        world.check()


async def test_a_container_that_is_gone_is_made_anew_only_after_a_call_can_have_no_effect_any_more() -> None:
    async with publishing() as (world, worker):
        world.platform.fault("publish", "lost_before")
        world.propose("d1")
        await worker.run()
        world.platform.lose("c0")
        await worker.over(40)
        assert len(world.platform.containers) == 0
        await worker.until(world.published, 60)
        world.check()


async def test_a_post_that_the_platform_shows_late_is_waited_for() -> None:
    async with publishing() as (world, worker):
        world.platform.fault("publish", "lost_after")
        world.platform.is_unlisted = True
        one = world.propose("d1")
        await worker.over(300, step_s=10)
        assert world.last(one).state == "unconfirmed"
        assert world.platform.calls["publish"] == 1
        world.platform.is_unlisted = False
        await worker.until(world.published)
        world.check()


async def test_the_platform_confirms_a_post_by_itself() -> None:
    async with publishing() as (world, worker):
        world.platform.fault("publish", "lost_after")
        world.platform.is_unlisted = True
        one = world.propose("d1")
        await worker.run()
        world.command("confirm", post_id="p0", texts=("text of d1",))
        await worker.run()
        assert (world.last(one).state, world.last(one).post_id) == ("published", "p0")
        world.command("confirm", post_id="p0", texts=("text of d1",))
        await worker.run()
        world.check()


async def test_two_posts_of_the_same_text_are_not_taken_for_each_other() -> None:
    async with publishing(publish_at_once=4) as (world, worker):
        world.platform.fault("publish", "lost_before", "lost_after")
        asked = [world.propose(each, "the same text") for each in ("d1", "d2")]
        await worker.until(lambda: len(world.published()) == 2)
        assert world.platform.texts() == ["the same text"] * 2
        assert {world.last(each).post_id for each in asked} == {"p0", "p1"}
        world.check()


async def test_a_clock_that_is_set_moves_what_is_due_and_no_wait() -> None:
    world = World()
    world.plan(PostingPlan(slots=("18:00",)))
    async with publishing(world) as (_, worker):
        world.propose("d1")
        await worker.run()
        world.clock.wall += timedelta(hours=6)
        world.clock.steady_s += 0.2  # the clocks are compared ten times a second
        await worker.run()
        await worker.until(world.published, 5)
    async with publishing(World()) as (world, worker):
        world.platform.fault("create_container", "throttled")
        world.propose("d1")
        await worker.run()
        world.clock.wall -= timedelta(hours=6)
        await worker.until(world.published, 10)
        world.check()
