"""No post twice, none lost: kill -9 at every step of a publication, two publishers at once, a rebalance in a call.

The simulator holds the answer of one call, and the worker is killed meanwhile; between two calls it is killed when the
state is on the topic. What is at the simulator in the end is counted by its own truth.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from agents.personas.posting import PostingPlan
from agents.publishing.approval import content_digest
from streams.wall_clock import utc_now
from tests.conftest import Stack
from tests.faults.conftest import WorkerProcess
from tests.support.faults.consumer_group import ConsumerGroup
from tests.support.faults.fault_report import BeginFault
from tests.support.publishing_broker import AtSimulator, Publishing, StateLog, simulated
from tests.support.simulator import RunningSimulator

ROLE = "publishing"
LATE_S = 8.0  # after which a call takes effect that the simulator makes slow, and a container is ready that is slow
AUTO = PostingPlan()
PATIENT = {"THREADS_PLATFORM_TIMEOUT_S": "60", "THREADS_PUBLISH_LEAD_S": "0"}  # calls last until the kill


@dataclass
class Bench:
    """The simulator, and the worker that is killed."""

    stack: Stack
    surroundings: AtSimulator
    simulator: RunningSimulator
    worker: WorkerProcess

    def befell(self, posts: Publishing, fault: str) -> bool:
        """Tell whether a fault that was asked for has befallen a call of a persona."""
        waiting = self.simulator.truth(posts.persona_id)["pending_faults"]["next"]
        return not any((each["fault"], each["user"]) == (fault, posts.persona_id) for each in waiting)


@pytest.fixture(scope="module")
def bench(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("publishing")
    slow = {"simulator_slow_answer_s": LATE_S, "simulator_slow_ready_s": LATE_S}
    with simulated(stack, folder / "home", **slow) as (surroundings, first):
        worker = WorkerProcess(surroundings, (ROLE,), "0", folder / "worker.log", **PATIENT)
        yield Bench(stack, surroundings, first.simulator, worker)
        worker.stop()


@pytest.fixture
async def posts(bench: Bench) -> AsyncIterator[Publishing]:
    log = StateLog(bench.stack)
    yield Publishing(bench.stack, bench.simulator, log)
    bench.simulator.no_faults()
    await log.close()


def fault(posts: Publishing, name: str, on: str | None = None) -> dict[str, str]:
    """Return a fault that befalls the next call of a test's persona."""
    return {"fault": name, "user": posts.persona_id} | ({"on": on} if on else {})


Reach = Callable[[Bench, Publishing], Awaitable[list[str]]]


@dataclass(frozen=True)
class Step:
    """A step at which the worker is killed, in which something is in `state`; `after` is what has to be done then."""

    name: str
    state: str
    reach: Reach
    after: Callable[[Publishing, list[str]], Awaitable[object]] | None = None
    posts: int = 2
    end: str = "published"


def in_a_call(name: str, on: str, count: int = 2) -> Reach:
    """Return how a step is reached in which the worker waits for an answer."""

    async def reach(bench: Bench, posts: Publishing) -> list[str]:
        await posts.apply(AUTO)
        bench.simulator.faults(fault(posts, name, on))
        asked = await posts.propose(count)
        await posts.until(lambda: bench.befell(posts, name), bench.worker.log)
        return asked

    return reach


def with_state(state: str, plan: PostingPlan = AUTO, **faults: str) -> Reach:
    """Return how a step is reached whose state is on the topic."""

    async def reach(bench: Bench, posts: Publishing) -> list[str]:
        await posts.apply(plan)
        bench.simulator.faults(*(fault(posts, name, on) for name, on in faults.items()))
        asked = await posts.propose(2)
        await posts.until(lambda: any(each.state == state for each in posts.states), bench.worker.log)
        return asked

    return reach


async def proposed(bench: Bench, posts: Publishing) -> list[str]:
    return await with_state("proposed", PostingPlan(approval="approve"))(bench, posts)


async def approve(posts: Publishing, asked: list[str]) -> None:
    for each in asked:
        state = posts.last(each)
        assert state is not None
        await posts.command(
            "review", publication_id=each, decision="accepted", content_digest=content_digest([state.text])
        )


async def approved(bench: Bench, posts: Publishing) -> list[str]:
    asked = await with_state("proposed", PostingPlan(approval="hold"))(bench, posts)
    await posts.until(lambda: posts.all_are("proposed", asked))
    await approve(posts, asked)
    await posts.until(lambda: posts.all_are("approved", asked), bench.worker.log)
    return asked


async def scheduled(bench: Bench, posts: Publishing) -> list[str]:
    await posts.apply(AUTO)
    asked = [uuid4().hex for _ in range(2)]
    for each in asked:
        due_at = utc_now() + timedelta(seconds=15)
        await posts.command("schedule", publication_id=each, texts=(f"text of {each}",), due_at=due_at)
    await posts.until(lambda: posts.all_are("scheduled", asked), bench.worker.log)
    return asked


async def second_part(bench: Bench, posts: Publishing) -> list[str]:
    await posts.apply(AUTO)
    bench.simulator.faults(fault(posts, "container_slow", "create"), fault(posts, "container_slow", "create"))
    name = uuid4().hex
    await posts.command("schedule", publication_id=name, texts=(f"one {name}", f"two {name}"), due_at=utc_now())
    await posts.until(lambda: posts.all_are("published", [name]), bench.worker.log)
    bench.simulator.faults(fault(posts, "timeout_after_publish", "publish"))
    await posts.until(lambda: bench.befell(posts, "timeout_after_publish"), bench.worker.log)
    return [name]


async def unconfirmed(bench: Bench, posts: Publishing) -> list[str]:
    await posts.apply(AUTO)
    bench.simulator.faults(fault(posts, "half_answer", "publish"), fault(posts, "timeout", "threads"))
    asked = await posts.propose(2)
    await posts.until(lambda: bench.befell(posts, "timeout"), bench.worker.log)
    await posts.until(lambda: any(each.state == "unconfirmed" for each in posts.states), bench.worker.log)
    return asked


async def deleting(bench: Bench, posts: Publishing) -> list[str]:
    asked = await with_state("published")(bench, posts)
    await posts.until(lambda: posts.all_are("published", asked), bench.worker.log)
    bench.simulator.faults(fault(posts, "timeout_after_delete", "delete"))
    for each in asked:
        await posts.command("delete", publication_id=each)
    await posts.until(lambda: bench.befell(posts, "timeout_after_delete"), bench.worker.log)
    return asked


async def back_to_auto(posts: Publishing, asked: list[str]) -> None:
    del asked
    await posts.apply(AUTO)


LASTING = (  # until something is done
    Step("proposed", "proposed", proposed, approve),
    Step("approved", "approved", approved, back_to_auto),
    Step("published", "published", with_state("published")),
    Step("making a container", "scheduled", in_a_call("timeout", "create")),
    Step("asking whether it is ready", "container_created", in_a_call("timeout", "object")),
    Step("publishing, and the call does not arrive", "publishing", in_a_call("timeout", "publish")),
    Step("publishing, and the post is made", "publishing", in_a_call("timeout_after_publish", "publish")),
    Step("unconfirmed, looking it up", "unconfirmed", unconfirmed),
    Step("deleting", "published", deleting, posts=0, end="deleted"),
    Step("publishing the second part", "publishing", second_part),
)
PASSING = (
    Step("scheduled", "scheduled", scheduled),
    Step("container_created", "container_created", with_state("container_created", container_slow="create")),
    Step("publishing, and the call takes effect later", "publishing", in_a_call("slow", "publish")),
)
STEPS = (*LASTING, *PASSING)


@dataclass
class Killed:
    """What became of the publications of a step, and the states that they were in at the kill."""

    posts: Publishing
    asked: list[str]
    at_the_kill: set[str]


@pytest.fixture(scope="module")
def killed(bench: Bench) -> dict[str, Killed]:
    """Bring publications of one persona a step to each step, kill the worker once, and let all come to their ends."""
    return asyncio.run(_kill_in_all(bench))


async def _kill_in_all(bench: Bench) -> dict[str, Killed]:
    log = StateLog(bench.stack)
    try:
        found: dict[str, Killed] = {}
        for steps in (LASTING, PASSING):
            reached = await asyncio.gather(*(_reached(bench, step, log) for step in steps))
            found |= {step.name: each for step, each in zip(steps, reached, strict=True)}
        bench.worker.kill()
        await log.read()
        for each in found.values():
            last = [each.posts.last(name, part) for name in each.asked for part in (0, 1)]
            each.at_the_kill = {state.state for state in last if state is not None}
        bench.simulator.no_faults()
        bench.worker.start()
        for step in STEPS:
            if step.after is not None:
                await step.after(found[step.name].posts, found[step.name].asked)
        await asyncio.gather(*(_ended(bench, step, found[step.name]) for step in STEPS))
    finally:
        await log.close()
    return found


async def _reached(bench: Bench, step: Step, log: StateLog) -> Killed:
    posts = Publishing(bench.stack, bench.simulator, log)
    return Killed(posts, await step.reach(bench, posts), set())


async def _ended(bench: Bench, step: Step, of: Killed) -> None:
    await of.posts.until(lambda: of.posts.all_are(step.end, of.asked), bench.worker.log)
    await of.posts.until(lambda: len(of.posts.posts()) == step.posts, bench.worker.log)


@pytest.mark.parametrize("step", STEPS, ids=[step.name for step in STEPS])
@pytest.mark.timeout(300)
def test_killed_at_any_step_each_post_is_there_once(
    killed: dict[str, Killed], step: Step, begin_fault: BeginFault
) -> None:
    run, of = begin_fault(f"kill -9 while {step.name}"), killed[step.name]
    run.inflict("kill -9")
    assert step.state in of.at_the_kill
    assert len(of.posts.posts()) == step.posts
    of.posts.check()
    run.events += len(of.asked)
    run.found(0, 0.0)


@pytest.mark.timeout(240)
async def test_a_publisher_that_hung_in_a_call_past_its_session_and_its_heir_publish_once(
    bench: Bench, posts: Publishing, tmp_path: Path, begin_fault: BeginFault
) -> None:
    run = begin_fault("two publishers at once")
    group = ConsumerGroup(bench.stack.cluster, ROLE)
    asked = await in_a_call("slow", "publish", 4)(bench, posts)
    hanging = bench.worker.process.pid
    os.kill(hanging, signal.SIGSTOP)
    run.inflict("stopped")
    heir = WorkerProcess(bench.surroundings, (ROLE,), "1", tmp_path / "heir.log", **PATIENT)
    try:
        await posts.until(lambda: posts.all_are("published", asked), heir.log)
        os.kill(hanging, signal.SIGCONT)
        run.inflict("woken")
        await group.until_members(2, bench.worker.log, 120.0)
        more = await posts.propose(4)
        await posts.until(lambda: posts.all_are("published", more), heir.log)
    finally:
        os.kill(hanging, signal.SIGCONT)
        heir.stop()
    assert len(posts.posts()) == len(asked) + len(more)
    posts.check()
    run.events += len(asked) + len(more)
    run.found(0, 0.0)


@pytest.mark.timeout(240)
async def test_a_rebalance_in_the_middle_of_a_call_publishes_once(
    bench: Bench, posts: Publishing, tmp_path: Path, begin_fault: BeginFault
) -> None:
    run = begin_fault("a rebalance in a call")
    group = ConsumerGroup(bench.stack.cluster, ROLE)
    asked = await in_a_call("slow", "publish", 3)(bench, posts)
    other = WorkerProcess(bench.surroundings, (ROLE,), "1", tmp_path / "other.log", **PATIENT)
    try:
        await group.until_members(2, other.log, 120.0)
        run.inflict("joined")
        bench.simulator.faults(fault(posts, "timeout_after_publish", "publish"))
        more = await posts.propose(3)
        await posts.until(lambda: bench.befell(posts, "timeout_after_publish"), other.log)
        bench.worker.stop()
        run.inflict("left")
        await posts.until(lambda: posts.all_are("published", [*asked, *more]), other.log)
    finally:
        other.stop()
    assert len(posts.posts()) == len(asked) + len(more)
    posts.check()
    run.events += len(asked) + len(more)
    run.found(0, 0.0)
