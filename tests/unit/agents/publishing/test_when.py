"""When a publication goes out, by the plan of its persona, and what a person's word and a missed time change."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agents.personas.posting import PostingPlan
from tests.support.publishing_stage import START, World, publishing


async def test_posts_of_a_persona_keep_their_distance_and_each_slot_is_for_one() -> None:
    world = World()
    world.plan(PostingPlan(slots=("12:30", "13:30", "18:00"), spacing_min=120))
    async with publishing(world) as (_, worker):
        asked = [world.propose(f"d{number}") for number in range(3)]
        await worker.run()
        due = sorted(each for each in (world.last(name).due_at for name in asked) if each is not None)
        minutes = [(each - START) / timedelta(minutes=1) for each in due]
        assert minutes == [30, 6 * 60, 24 * 60 + 30]


async def test_nothing_is_published_in_quiet_hours_but_at_a_time_that_a_person_chose() -> None:
    world = World()
    world.plan(PostingPlan(quiet=("11:00-13:00",)))
    async with publishing(world) as (_, worker):
        by_plan = world.propose("d1")
        world.command("schedule", publication_id="now", texts=("now",), due_at=START)
        await worker.over(60, step_s=20)
        assert world.platform.texts() == ["now"]
        assert world.last(by_plan).due_at == START + timedelta(hours=1)
        await worker.until(lambda: len(world.published()) == 2, 3_700, step_s=60)
        world.check()


@pytest.mark.parametrize(
    ("policy", "end"), [("publish", "published"), ("expire", "expired"), ("next_slot", "scheduled")]
)
async def test_a_time_that_no_worker_was_there_for_is_made_up_for_as_the_plan_says(policy: str, end: str) -> None:
    world = World()
    world.plan(PostingPlan.model_validate({"slots": ["12:30", "18:00"], "missed": policy, "missed_after_min": 60}))
    async with publishing(world) as (_, worker):
        one = world.propose("d1")
        await worker.run()
    world.clock.pass_by(3 * 3_600)
    async with publishing(world) as (_, worker):
        await worker.over(5)
        assert world.last(one).state == end
        if policy == "next_slot":
            assert world.last(one).due_at == START + timedelta(hours=6)
        if policy == "expire":
            world.command("schedule", publication_id=one, due_at=world.clock.now())
            await worker.until(world.published)
        world.check()


async def test_on_hold_nothing_goes_out_and_what_was_approved_stays_so_until_the_plan_changes() -> None:
    world = World()
    world.plan(PostingPlan(slots=("12:30",)))
    async with publishing(world) as (_, worker):
        before = world.propose("d1")
        await worker.run()
        world.plan(PostingPlan(approval="hold"))
        await worker.over(20, step_s=5)
        during = world.propose("d2")
        await worker.over(3_600, step_s=300)
        assert world.last(before).state == "scheduled"
        assert world.last(during).state == "proposed"
        assert all("on hold" in (world.last(each).reason or "") for each in (before, during))
        world.plan(PostingPlan())
        await worker.until(lambda: len(world.published()) == 2)
        world.check()


async def test_a_cancelled_post_is_not_published_and_its_slot_is_free_again() -> None:
    world = World()
    world.plan(PostingPlan(slots=("12:30", "18:00")))
    async with publishing(world) as (_, worker):
        one = world.propose("d1")
        await worker.run()
        world.command("cancel", publication_id=one, reason="another idea")
        await worker.run()
        assert (world.last(one).state, world.last(one).reason) == ("cancelled", "another idea")
        two = world.propose("d2")
        await worker.run()
        assert world.last(two).due_at == START + timedelta(minutes=30)
        await worker.over(2_000, step_s=100)
        assert world.platform.texts() == ["text of d2"]
        world.check()


async def test_nobody_approves_and_a_proposal_expires() -> None:
    world = World()
    world.plan(PostingPlan(approval="approve"))
    async with publishing(world, publish_proposal_days=2) as (_, worker):
        one = world.propose("d1")
        await worker.over(60, step_s=20)
        assert "posts approve" in (world.last(one).reason or "")
        await worker.over(49 * 3_600, step_s=3_600)
        assert world.last(one).state == "expired"
        world.check()


async def test_what_ended_long_ago_is_forgotten_and_a_draft_of_that_time_is_not_published_again() -> None:
    async with publishing(publish_remember_days=31, publish_within_h=8_000) as (world, worker):
        one = world.propose("d1")
        await worker.until(world.published)
        world.clock.pass_by(32 * 86_400)
        worker.stage._forgot_at_s = float("-inf")
        world.propose("d2")
        await worker.until(lambda: len(world.published()) == 2)
        await worker.checkpoint()
        assert worker.part.get(one) is None
        world.command("propose", draft_id="d1", texts=("text of d1",), decision="accepted", occurred_at=START)
        await worker.over(60, step_s=20)
        assert len(world.platform.ever) == 2
