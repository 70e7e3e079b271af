"""Webhooks on the whole way: from the simulator, signed, through the gateway to the publisher, each of them twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from agents.gateway.routes.platforms import PATH
from agents.personas.posting import PostingPlan
from agents.platforms.threads_ids import simulated_user_id
from schemas.catalogue import topic_named
from schemas.records import PlatformNotice, PostCommand, Record
from streams.endpoints import read_endpoints
from streams.kafka.topic_tail import WHOLE, TopicTail
from tests.conftest import Stack
from tests.faults.conftest import WorkerProcess
from tests.support.publishing_broker import AtSimulator, Publishing, simulated

SECRET, WORD = f"secret {uuid4().hex}", f"word {uuid4().hex}"
DEADLINE_S = 90.0


@pytest.fixture
def at_simulator(stack: Stack, tmp_path: Path) -> Iterator[tuple[AtSimulator, Publishing]]:
    with simulated(stack, tmp_path / "home", simulator_app_secret=SECRET) as both:
        yield both


@pytest.fixture
async def publishing(at_simulator: tuple[AtSimulator, Publishing]) -> AsyncIterator[Publishing]:
    yield at_simulator[1]
    await at_simulator[1].close()


@pytest.fixture
def workers(at_simulator: tuple[AtSimulator, Publishing], tmp_path: Path) -> Iterator[Sequence[WorkerProcess]]:
    """The gateway, which knows the simulated app's secret, and the publisher."""
    environment = {"THREADS_APP_SECRET": SECRET, "THREADS_WEBHOOK_VERIFY_TOKEN": WORD}
    with ExitStack() as cleanup:
        made = []
        for role in ("gateway", "publishing"):
            worker = WorkerProcess(at_simulator[0], (role,), "0", tmp_path / f"{role}.log", None, **environment)
            cleanup.callback(worker.stop)
            made.append(worker)
        yield made


async def until_told(
    stack: Stack, topic: str, kind: type[Record], ours: Callable[[Any], bool], holds: Callable[[list[Any]], bool]
) -> list[Any]:
    """Read a topic until what is ours of it holds."""
    tail = TopicTail(stack.cluster, stack.cluster.open_registry(), {topic_named(topic): WHOLE}, kind)
    found: list[Any] = []
    deadline = time.monotonic() + DEADLINE_S
    try:
        while not holds(found):
            assert time.monotonic() < deadline, found
            found += filter(ours, await tail.news())
            await asyncio.sleep(0.05)
    finally:
        await tail.close()
    return found


@pytest.mark.timeout(240)
async def test_what_the_platform_tells_of_a_post_reaches_the_publisher_once_its_deletion_too(
    publishing: Publishing, workers: Sequence[WorkerProcess]
) -> None:
    gateway, publisher = workers
    await publishing.apply(PostingPlan())
    await gateway.until_running()
    address = read_endpoints(publishing.settings.home).gateway
    publishing.simulator.control("webhooks", {"url": f"{address}{PATH}", "verify_token": WORD})
    publishing.simulator.faults({"fault": "timeout_after_publish", "on": "publish"}, webhook_duplicate=1.0)
    asked = await publishing.propose(2)
    await publishing.until(lambda: publishing.all_are("published", asked), publisher.log)
    post_ids = {last.post_id for each in asked if (last := publishing.last(each)) is not None}
    user_id, stack = simulated_user_id(publishing.persona_id), publishing.stack
    notices: list[PlatformNotice] = await until_told(
        stack,
        "platform.notices",
        PlatformNotice,
        lambda each: each.user_id == user_id,
        lambda found: {each.post_id for each in found} >= post_ids,
    )
    by_post = {each.post_id: {same.event_id for same in notices if same.post_id == each.post_id} for each in notices}
    assert {post_id: len(ids) for post_id, ids in by_post.items()} == dict.fromkeys(post_ids, 1)
    confirms: list[PostCommand] = await until_told(
        stack,
        "posts.commands",
        PostCommand,
        lambda each: each.kind == "confirm" and each.persona_id == publishing.persona_id,
        lambda found: {each.post_id for each in found} >= post_ids,
    )
    assert len({each.event_id for each in confirms}) == len(post_ids)
    assert len(publishing.posts()) == 2
    await publishing.read()
    publishing.check()
    [gone, *_] = sorted(each for each in post_ids if each is not None)
    publishing.simulator.control(f"posts/{gone}/delete", {})
    await publishing.until(lambda: "deleted" in [each.state for each in publishing.states], publisher.log)
    assert {each.post_id for each in publishing.states if each.state == "deleted"} == {gone}
