"""Whatever happens in whatever order: no part is published twice, none is lost, and what is told has no gap.

Commands, time, faults of every class, clocks that are set, crashes at any point between two acts, and a worker that is
stopped in a call and goes on when another has its publications.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.personas.posting import PostingPlan
from agents.publishing.identity import publication_of_draft
from agents.publishing.publication import ENDS, Publication
from tests.support.memory_platform import ERRORS, Fault
from tests.support.publishing_stage import START, Driven, World, publishing

CALLS = ("create_container", "container", "publish", "find", "quota", "delete", "post")
UNRESTRICTED: tuple[Fault, ...] = tuple(sorted(set(ERRORS) - {"lost_before", "lost_after"}))
CALL_TAKES_EFFECT_WITHIN_S = 40

_drafts = st.sampled_from(["a", "b", "c"])
_things = st.sampled_from(["a", "b", "c", "thread", "post"])
publish_faults = st.sampled_from(
    ["lost_before", "lost_after", "lost_after", "hang", "hang_after", "hold", "hold", "not_ready", "broken", "token"]
)
moves = st.one_of(
    st.tuples(st.just("run"), st.integers(1, 5)),
    st.tuples(st.just("step"), st.sampled_from(["commands", "settle", "checkpoint"])),
    st.tuples(st.just("crash"), st.sampled_from(["now", "unwritten", "state only", "written", "drained"])),
    st.tuples(st.just("zombie"), st.integers(0, 2)),
    st.tuples(st.just("pass"), st.sampled_from([1, 1, 5, 30, 120])),
)
happenings = st.one_of(
    st.tuples(st.just("propose"), _drafts, st.sampled_from(["accepted", "accepted", "rejected"])),
    st.tuples(st.just("schedule"), st.sampled_from(["thread", "post"]), st.integers(0, 90)),
    st.tuples(st.just("review"), _drafts, st.sampled_from(["accepted", "rejected"]), st.integers(0, 3)),
    st.tuples(st.sampled_from(["cancel", "delete", "retry", "heal", "edit", "again"]), _things),
    st.tuples(st.just("plan"), st.sampled_from(["auto", "auto", "approve", "hold"])),
    st.tuples(st.just("fault"), st.sampled_from(CALLS), st.sampled_from(UNRESTRICTED)),
    st.tuples(st.just("fault"), st.just("publish"), publish_faults),
    st.tuples(st.just("fault"), st.just("publish"), publish_faults),
    st.tuples(st.just("fault"), st.just("delete"), st.sampled_from(["lost_before", "lost_after"])),
    st.tuples(st.just("container"), st.sampled_from(["error", "expired", "lost"])),
    st.tuples(st.just("set"), st.sampled_from([-3_600, -5, 5, 3_600])),
)
operations = st.one_of(moves, moves, happenings)
beginnings = st.lists(publish_faults, max_size=3)


BEGINNING = (("propose", "a", "accepted"), ("schedule", "thread", 0), ("run", 2))


class Play:
    """A world, the worker that has it, and those that think so still."""

    def __init__(self) -> None:
        self.world = World()
        self.world.platform.ready_s = 2.0
        self.worker = Driven(self.world)
        self.zombies: list[Driven] = []
        self.ids: dict[str, str] = {}
        self.held_for_s = 0.0

    async def start(self) -> None:
        await self.worker.start()

    async def do(self, operation: tuple[Any, ...]) -> None:
        kind, *given_ = operation
        await getattr(self, f"do_{kind}", self._command(kind))(*given_)

    def _command(self, kind: str) -> Any:
        async def command(thing: str) -> None:
            known = self.ids.get(thing)
            if known is None:
                return
            if kind == "again":
                self.world.log.append(next(each for each in self.world.log if self._is_of(each, known)))
            elif kind == "edit":
                self.world.command("edit", publication_id=known, texts=(f"{thing} edited {len(self.world.log)}",))
            else:
                self.world.command(kind, publication_id=known)

        return command

    def _is_of(self, command: Any, known: str) -> bool:
        return known == (command.publication_id or publication_of_draft(command.draft_id))

    async def do_propose(self, draft: str, decision: str) -> None:
        self.ids[draft] = self.world.propose(draft, decision=decision)

    async def do_schedule(self, thing: str, in_s: int) -> None:
        texts = ("one", "two", "three") if thing == "thread" else ("text of a",)
        self.ids[thing] = thing
        due_at = self.world.clock.now() + timedelta(seconds=in_s)
        self.world.command("schedule", publication_id=thing, texts=texts, due_at=due_at)

    async def do_review(self, draft: str, decision: str, revision: int) -> None:
        self.world.review(draft, decision, revision=revision)

    async def do_plan(self, approval: Any) -> None:
        self.world.plan(PostingPlan(approval=approval))

    async def do_fault(self, call: str, fault: Fault) -> None:
        self.world.platform.fault(call, fault)

    async def do_container(self, what: str) -> None:
        platform = self.world.platform
        waiting = [key for key in platform.containers if platform.status(key) in {"finished", "in_progress"}]
        if waiting and what == "lost":
            platform.lose(waiting[-1])
        elif waiting:
            platform.set_status(waiting[-1], "error" if what == "error" else "expired", "it says why")

    async def do_pass(self, seconds: int) -> None:
        self.held_for_s += seconds
        if self.held_for_s > CALL_TAKES_EFFECT_WITHIN_S:
            await self._release()
        self.world.clock.pass_by(seconds)

    async def _release(self) -> None:
        """Let the calls take effect that are held; what zombies make of it becomes of no account."""
        self.held_for_s = 0.0
        released, self.world.platform.released = self.world.platform.released, asyncio.Event()
        released.set()
        for _ in range(3):
            await asyncio.sleep(0)

    async def do_set(self, seconds: int) -> None:
        self.world.clock.wall += timedelta(seconds=seconds)

    async def do_run(self, rounds: int) -> None:
        for _ in range(rounds):
            await self.worker.run()
            self.world.clock.pass_by(1)

    async def do_step(self, step: str) -> None:
        if step == "commands":
            await self.worker.take_commands()
        elif step == "settle":
            await self.worker.settle()
        elif self.worker.stage.idle_flush_due([self.worker.part]):
            await self.worker.checkpoint()

    async def do_crash(self, when: str) -> None:
        if when == "drained":
            await self.worker.drain()
        elif when != "now":
            effects = await self.worker.flush()
            if when != "unwritten":
                self.worker.write_state(effects)
            if when == "written":
                self.worker.write_outputs(effects)
        await self.worker.crash()
        await self._next_life()

    async def do_zombie(self, rounds: int) -> None:
        """Stop the worker in whatever it does; another has its partition, and it goes on without knowing."""
        await self.worker.settle()
        self.zombies.append(self.worker)
        await self._next_life()
        for _ in range(rounds):
            await self.worker.run()
            self.world.clock.pass_by(1)
        await self.zombies[-1].settle()  # it acts on what was durable; of what it wants durable nothing is

    async def _next_life(self) -> None:
        self.worker = Driven(self.world)
        await self.worker.start()

    async def end(self) -> None:
        """Let all be well, and see what came of it."""
        platform = self.world.platform
        await self._release()
        platform.faults.clear()
        for zombie in self.zombies:
            await zombie.crash()
        await self.worker.crash()
        await self._next_life()
        self.world.clock.wall = max(self.world.clock.wall, START + timedelta(hours=3))
        self.world.plan(PostingPlan())
        for record in self.world.account_records():
            self.world.accounts.append(record.account_id, None)
        for _ in range(400):
            await self.worker.run()
            if all(each.is_ended or _was_rejected(each) for each in self.worker.part):
                break
            self.world.clock.pass_by(15)
        else:
            raise AssertionError(f"stuck: {[each for each in self.worker.part if not each.is_ended]}")

    def check(self) -> None:
        self.world.check()
        told = {each.event_id: each for each in self.world.states()}.values()
        posts = Counter(each.post_id for each in told if each.state == "published" and each.reason is None)
        made = {post_id: outgoing.text for post_id, outgoing in self.world.platform.ever}
        assert dict(posts) == dict.fromkeys(made, 1), "every post is told of once, and none is told that is not there"
        assert all(made[each.post_id or ""] == each.text for each in told if each.state == "published")
        for each in self.worker.part:
            for part in each.parts:
                assert part.state in ENDS or _was_rejected(each)
                if part.state == "published":
                    assert part.post_id in self.world.platform.live
        assert {each.post_id for each in self.world.published().values()} == set(made)


def _was_rejected(publication: Publication) -> bool:
    """Tell whether a publication waits for another text or review for good."""
    review = publication.review
    was = publication.decision if review is None else review.decision
    return not publication.parts or (was == "rejected" and publication.parts[0].state in {None, "proposed"})


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(beginnings, st.lists(operations, min_size=5, max_size=40))
def test_no_part_is_published_twice_and_none_is_lost(faults: list[Fault], played: list[tuple[Any, ...]]) -> None:
    async def play() -> None:
        of = Play()
        await of.start()
        try:
            for operation in [*(("fault", "publish", each) for each in faults), *BEGINNING, *played]:
                await of.do(operation)
            await of.end()
            of.check()
        finally:
            await of.worker.crash()
            for zombie in of.zombies:
                await zombie.crash()

    asyncio.run(play())


async def test_the_world_of_the_test_publishes_at_all() -> None:
    async with publishing() as (world, worker):
        world.propose("a")
        await worker.until(world.published)
