"""What another worker makes of what it finds, and what becomes of commands that come again, late, or in doubt."""

from __future__ import annotations

import pytest

from agents.publishing.publication import EDGES, ForbiddenMove, moved
from tests.support.publishing_stage import Driven, World, publishing


async def next_life(world: World) -> Driven:
    worker = Driven(world)
    await worker.start()
    return worker


async def held_in_a_call(world: World, worker: Driven) -> str:
    """Propose a post whose call the platform holds."""
    world.platform.fault("publish", "hold")
    one = world.propose("d1")
    await worker.run()
    assert world.names(one)[-1] == "publishing"
    return one


async def test_what_was_told_last_is_told_again_under_the_same_ids_and_counts_once() -> None:
    async with publishing() as (world, worker):
        one = world.propose("d1")
        await worker.take_commands()
        await worker.settle()
        effects = await worker.flush()
        worker.write_state(effects)  # and ends before the records are out
        heir = await next_life(world)
        try:
            await heir.until(world.published)
            assert world.names(one)[:2] == ["proposed", "approved"]
            world.check()
        finally:
            await heir.crash()


async def test_a_cancel_in_doubt_waits_until_the_call_can_have_no_effect_any_more() -> None:
    async with publishing() as (world, worker):
        one = await held_in_a_call(world, worker)
        heir = await next_life(world)
        try:
            world.platform.fault("publish", "not_ready")
            world.command("cancel", publication_id=one)
            await heir.over(30)
            assert world.last(one).state == "unconfirmed", "the held call may take effect still"
            world.platform.released.set()
            await worker.settle()
            await heir.until(lambda: world.last(one).state == "published")
            world.check()
        finally:
            await heir.crash()


async def test_a_cancel_in_doubt_cancels_what_is_proved_not_to_be_there() -> None:
    async with publishing() as (world, worker):
        world.platform.fault("publish", "lost_before")
        one = world.propose("d1")
        await worker.run()
        world.command("cancel", publication_id=one)
        await worker.until(lambda: world.last(one).state == "cancelled")
        assert not world.platform.ever
        world.check()


async def test_what_is_in_doubt_stays_so_when_a_second_call_is_refused() -> None:
    async with publishing() as (world, worker):
        one = await held_in_a_call(world, worker)
        heir = await next_life(world)
        try:
            world.platform.fault("publish", "not_ready")
            await heir.until(lambda: world.platform.calls["publish"] == 2)
            await heir.run()
            assert world.last(one).state == "unconfirmed"
            world.command("edit", publication_id=one, texts=("another text",))
            await heir.run()
            world.platform.released.set()
            await worker.settle()
            await heir.until(world.published)
            assert world.platform.texts() == ["text of d1"], "an edit comes too late for what may be there"
            world.check()
        finally:
            await heir.crash()


async def test_a_worker_that_ends_gracefully_takes_back_what_it_has_not_begun() -> None:
    async with publishing() as (world, worker):
        one = world.propose("d1")
        await worker.take_commands()
        await worker.settle()
        await worker.drain()
        assert world.names(one)[-1] == "container_created"
        assert world.last(one).attempt == 0
        heir = await next_life(world)
        try:
            await heir.until(world.published)
            world.check()
        finally:
            await heir.crash()


async def test_a_command_that_comes_again_has_no_effect_again() -> None:
    async with publishing() as (world, worker):
        one = world.propose("d1", "too long " * 100)
        edit = world.command("edit", publication_id=one, texts=("a text",))
        await worker.until(world.published)
        cancel = world.command("delete", publication_id=one)
        await worker.until(lambda: world.last(one).state == "deleted")
        told = len(world.states())
        world.log += [world.log[0], edit, cancel]
        await worker.over(60, step_s=20)
        heir = await next_life(world)  # reads the log from its beginning: the commit was lost
        try:
            await heir.run()
            assert len(world.states()) == told
            assert world.platform.calls["publish"] == 1
        finally:
            await heir.crash()


async def test_a_proposal_that_is_older_than_the_publisher_expires_and_can_be_scheduled_still() -> None:
    async with publishing() as (world, worker):
        world.clock.pass_by(30 * 3_600)
        one = world.propose("d1")
        old = world.propose("d2", occurred_at=world.clock.now().replace(day=20))
        await worker.until(world.published)
        assert [world.last(each).state for each in (one, old)] == ["published", "expired"]
        assert f"posts schedule {old}" in (world.last(old).reason or "")
        world.command("schedule", publication_id=old, due_at=world.clock.now())
        await worker.until(lambda: world.last(old).state == "published")
        world.check()


async def test_states_go_along_allowed_edges_only() -> None:
    async with publishing() as (world, worker):
        one = world.propose("d1")
        await worker.until(world.published)
        known = worker.part.get(one)
        assert known is not None
        for state in sorted(set().union(*EDGES.values()) - EDGES["published"]):
            with pytest.raises(ForbiddenMove, match=f"published does not lead to {state}"):
                moved(known, 0, state, world.clock.now())


async def test_a_thread_goes_part_by_part_and_each_continues_the_one_before() -> None:
    async with publishing() as (world, worker):
        world.platform.fault("publish", "not_ready", "lost_after", "away", "lost_before")
        world.command("schedule", publication_id="thread", texts=("one", "two", "three"))
        await worker.until(lambda: len(world.published()) == 3)
        assert [(outgoing.text, outgoing.reply_to) for _, outgoing in world.platform.ever] == [
            ("one", None),
            ("two", "p0"),
            ("three", "p1"),
        ]
        world.check()


async def test_a_thread_that_fails_in_the_middle_is_resumed_by_a_retry() -> None:
    async with publishing() as (world, worker):
        world.platform.ready_s = 1.0
        world.command("schedule", publication_id="thread", texts=("one", "two", "three"))
        await worker.until(lambda: world.last("thread").state == "published")
        for _ in range(3):  # containers that come to nothing
            await worker.until(lambda: world.names("thread", 1)[-1] == "container_created")
            world.platform.set_status(max(world.platform.containers, key=lambda key: int(key[1:])), "error", "no")
            await worker.until(lambda: world.names("thread", 1)[-1] in {"scheduled", "failed"})
        assert [world.last("thread", part).state for part in range(3)] == ["published", "failed", "failed"]
        assert world.last("thread", 1).retryable
        world.command("retry", publication_id="thread")
        await worker.until(lambda: len(world.published()) == 3)
        assert world.platform.texts() == ["one", "two", "three"]
        world.check()


async def test_an_edit_revokes_an_approval_and_of_competing_reviews_one_wins() -> None:
    async with publishing() as (world, worker):
        world.plan_approval("approve")
        one = world.propose("d1")
        await worker.run()
        assert world.last(one).state == "proposed"
        world.command("edit", publication_id=one, texts=("another text",))
        world.review("d1", "accepted")  # of the text before
        await worker.run()
        assert world.last(one).state == "proposed"
        world.review("d1", "rejected", "another text", revision=1)
        world.review("d1", "accepted", "another text", revision=1, requested_by="bob")
        await worker.run()
        assert "rejected by ann" in (world.last(one).reason or "")
        world.review("d1", "accepted", "another text", revision=2, requested_by="bob")
        await worker.until(world.published)
        world.check()


async def test_a_rejected_draft_is_published_only_when_a_review_accepts_it() -> None:
    async with publishing() as (world, worker):
        one = world.propose("d1", decision="rejected")
        await worker.over(60, step_s=20)
        assert not world.states()
        world.review("d1", "accepted")
        await worker.until(world.published)
        world.review("d2", "accepted")  # comes before its draft
        await worker.run()
        two = world.propose("d2", decision="rejected")
        await worker.until(lambda: len(world.published()) == 2)
        assert world.last(one).state == world.last(two).state == "published"
        world.check()
