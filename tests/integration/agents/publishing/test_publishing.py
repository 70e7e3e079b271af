"""Posts on the real broker and the simulator: what is accepted is there once, whatever the platform answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from agents.personas.posting import PostingPlan
from streams.wall_clock import utc_now
from tests.conftest import Stack
from tests.faults.conftest import WorkerProcess
from tests.support.publishing_broker import AtSimulator, Publishing, simulated


@pytest.fixture
def at_simulator(stack: Stack, tmp_path: Path) -> Iterator[tuple[AtSimulator, Publishing]]:
    with simulated(stack, tmp_path / "home") as both:
        yield both


@pytest.fixture
async def publishing(at_simulator: tuple[AtSimulator, Publishing]) -> AsyncIterator[Publishing]:
    yield at_simulator[1]
    await at_simulator[1].close()


@pytest.fixture
def worker(at_simulator: tuple[AtSimulator, Publishing], tmp_path: Path) -> Iterator[WorkerProcess]:
    made = WorkerProcess(at_simulator[0], ("publishing",), "0", tmp_path / "worker.log")
    yield made
    made.stop()


@pytest.mark.timeout(180)
async def test_accepted_drafts_become_posts_once_though_the_platform_fails_in_every_way(
    publishing: Publishing, worker: WorkerProcess
) -> None:
    await publishing.apply(PostingPlan())
    faults = ("500", "timeout_after_publish", "4279009", "cut_after_publish", "613", "half_answer", "container_lost")
    publishing.simulator.faults(*({"fault": each, "on": "publish"} for each in faults))
    asked = await publishing.propose(12)
    await publishing.until(lambda: publishing.all_are("published", asked), worker.log)
    assert len(publishing.posts()) == 12
    publishing.check()


@pytest.mark.timeout(180)
async def test_a_thread_a_revoked_token_and_a_post_that_somebody_deleted_each_come_to_one_clear_end(
    publishing: Publishing, worker: WorkerProcess
) -> None:
    await publishing.apply(PostingPlan())
    simulator, user = publishing.simulator, publishing.persona_id
    thread = uuid4().hex
    texts = tuple(f"{number} of {thread}" for number in ("one", "two", "three"))
    simulator.faults({"fault": "timeout_after_publish", "on": "publish"}, {"fault": "container_error", "on": "create"})
    await publishing.command("schedule", publication_id=thread, texts=texts, due_at=utc_now())
    await publishing.until(
        lambda: (last := publishing.last(thread, 2)) is not None and last.state == "published", worker.log
    )
    made = {each["text"]: each for each in simulator.posts(user)}
    assert list(made) == list(texts)
    assert [made[text]["reply_to"] for text in texts[1:]] == [made[text]["id"] for text in texts[:-1]]

    simulator.control("tokens", {"user": user, "change": "revoke"})
    [waiting] = await publishing.propose(1)
    await publishing.until(
        lambda: (last := publishing.last(waiting)) is not None and last.reason is not None, worker.log
    )
    told = publishing.last(waiting)
    assert told is not None
    assert told.state == "scheduled"
    simulator.control("tokens", {"user": user, "change": "restore"})
    await publishing.account_is(told.account_id or "", "active")
    await publishing.until(lambda: publishing.all_are("published", [waiting]), worker.log)

    simulator.control(f"posts/{made[texts[2]]['id']}/delete", {})
    await publishing.command("heal", publication_id=thread)
    await publishing.until(
        lambda: (last := publishing.last(thread, 2)) is not None and last.state == "deleted", worker.log
    )
    await publishing.command("delete", publication_id=thread)
    await publishing.until(lambda: len(publishing.posts()) == 1, worker.log)
    publishing.check()
