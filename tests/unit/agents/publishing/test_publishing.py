"""A post goes its way: from a proposal through its states to the platform, exactly once."""

from __future__ import annotations

from datetime import timedelta

from agents.personas.posting import PostingPlan
from tests.support.publishing_stage import START, World, publishing

WAY = ["proposed", "approved", "scheduled", "container_created", "publishing", "published"]


async def test_an_accepted_draft_becomes_a_post_and_every_state_of_it_is_told() -> None:
    async with publishing() as (world, worker):
        one = world.propose("d1")
        await worker.until(world.published)
        assert world.names(one) == WAY
        assert world.platform.texts() == ["text of d1"]
        last = world.last(one)
        assert (last.post_id, last.account_id, last.simulated) == ("p0", "simulated-night-shift-nora", True)
        assert last.permalink == "https://threads.example/p0"
        [told] = world.published().values()
        assert (told.post_id, told.draft_id, told.source, told.simulated) == ("p0", "d1", "simulated", True)
        assert world.states(one)[0].causation_id == "e0"
        world.check()


async def test_a_call_is_begun_only_when_its_intent_is_durable() -> None:
    async with publishing() as (world, worker):
        one = world.propose("d1")
        await worker.take_commands()
        await worker.settle()
        effects = await worker.flush()
        assert world.platform.calls["publish"] == 0
        worker.write_state(effects)
        await worker.settle()
        assert world.platform.calls["publish"] == 0, "the intent is in the state, its record is not out"
        worker.write_outputs(effects)
        worker.part.durable()
        await worker.settle()
        assert world.platform.calls["publish"] == 1
        await worker.run()
        assert world.names(one) == WAY


async def test_an_intent_that_took_too_long_to_become_durable_is_not_acted_upon() -> None:
    async with publishing(session_timeout_s=30) as (world, worker):
        one = world.propose("d1")
        await worker.take_commands()
        await worker.settle()
        effects = await worker.flush()
        worker.write_state(effects)
        world.clock.pass_by(31)  # the worker was stopped in between: others may have the partition
        worker.write_outputs(effects)
        worker.part.durable()
        await worker.settle()
        assert world.platform.calls["publish"] == 0
        await worker.run()  # it is a member still: the intent is written again
        assert world.names(one) == WAY
        world.check()


async def test_a_post_waits_for_its_slot_and_its_container_is_made_shortly_before() -> None:
    world = World()
    world.plan(PostingPlan(slots=("12:30",)))
    async with publishing(world) as (_, worker):
        one = world.propose("d1")
        await worker.over(60)
        assert world.names(one) == ["proposed", "approved", "scheduled"]
        assert world.last(one).due_at == START + timedelta(minutes=30)
        await worker.over(1_679, step_s=60)
        assert not world.platform.containers
        await worker.over(2)
        assert len(world.platform.containers) == 1
        await worker.over(30)
        assert not world.platform.ever
        await worker.until(world.published, 60)
        assert world.clock.wall == START + timedelta(minutes=30)
