"""Engagement comes back exactly once though the worker that asks for it is killed at any moment of a poll."""

from __future__ import annotations

import asyncio
import random
import time
from uuid import uuid4

import pytest

from agents.insights.links import tracked
from agents.platforms.clients import clients
from schemas.catalogue import topic_named
from schemas.records import EngagementEvent
from schemas.registries.registry import open_registry
from streams.engine.stage import Output
from streams.kafka.producer import EventProducer
from streams.kafka.topic_tail import WHOLE, TopicTail
from tests.conftest import Stack
from tests.faults.conftest import SpawnWorker
from tests.support.faults.fault_report import BeginFault
from tests.support.insights import differences, directory_of, publish, published_state, sums_of
from tests.support.settings import settings_with
from tests.support.simulator import AT_ONCE, RunningSimulator, running_simulator

POSTS, PERSONAS, KILLS = 16, 4, 5
DEADLINE_S = 120.0
QUICK = {
    "THREADS_INSIGHTS_LEAST_S": "0.1",
    "THREADS_INSIGHTS_MOST_S": "0.5",
    "THREADS_INSIGHTS_ACCOUNT_EVERY_S": "0.3",
    "THREADS_INSIGHTS_FIRST_RETRY_S": "0.05",
    "THREADS_INSIGHTS_LONGEST_RETRY_S": "0.5",
    "THREADS_INSIGHTS_BUDGET_SHARE": "1",
}


def insights_calls(simulator: RunningSimulator, user_ids: set[str]) -> int:
    """Return how often the simulator was asked by these users."""
    return sum(sum(routes.values()) for user, routes in simulator.truth()["calls"].items() if user in user_ids)


@pytest.mark.timeout(300)
async def test_killed_again_and_again_events_add_up_to_the_simulators_totals(
    stack: Stack, spawn_worker: SpawnWorker, seed: int, begin_fault: BeginFault
) -> None:
    run, chance = begin_fault("kill -9 of an insights worker"), random.Random(seed)
    personas = [f"p-{uuid4().hex[:12]}" for _ in range(PERSONAS)]
    settings = settings_with(home=stack.home, **AT_ONCE, simulator_audience_speed=2.0 * 10**5)
    tail = TopicTail(stack.cluster, open_registry(None), {topic_named("engagement.events"): WHOLE}, EngagementEvent)
    with running_simulator(stack.home, settings) as simulator:
        worker = spawn_worker("insights", slot="0", **QUICK)
        platforms, directory = clients(settings), directory_of(settings)
        links, events = {}, list[EngagementEvent]()
        try:
            async with EventProducer(stack.cluster, open_registry(None)) as producer:
                for number in range(POSTS):
                    persona_id, publication_id = personas[number % PERSONAS], uuid4().hex
                    link = tracked("https://shop.example/nap", publication_id)
                    text = f"Nap {number}: {link}"
                    post_id = await publish(platforms["threads"], directory, persona_id, text)
                    links[post_id] = link
                    state = published_state(persona_id, publication_id, post_id, text)
                    await producer.append_all([Output("posts.states", state)])
            users = {post["user_id"] for post in simulator.truth()["posts"] if post["id"] in links}
            for _ in range(KILLS):
                await _until_asked(simulator, users, chance.randint(1, 60))
                run.inflict("kill -9 at work")
                worker.restart()
                post_id = chance.choice(sorted(links))
                simulator.control(
                    f"posts/{post_id}/engage",
                    {"likes": chance.randint(-3, 9), "views": 50, "clicks": {links[post_id]: 3}},
                )
            began = time.monotonic()
            wrong = ["not looked at"]
            while wrong and time.monotonic() - began < DEADLINE_S:
                assert worker.process.poll() is None, worker.log()[-3_000:]
                reading = await tail.read_on()
                events += [
                    each.record for each in reading.entries if each.record and each.record.persona_id in personas
                ]
                wrong = differences(simulator, set(links), sums_of(events))
                await asyncio.sleep(0.2)
            run.events += len(events)
            run.found(len(wrong), time.monotonic() - began)
            assert wrong == []
            assert worker.stop() == 0
        finally:
            await tail.close()
            for platform in platforms.values():
                await platform.close()


async def _until_asked(simulator: RunningSimulator, users: set[str], times: int) -> None:
    before, deadline = insights_calls(simulator, users), time.monotonic() + DEADLINE_S
    while insights_calls(simulator, users) < before + times:
        assert time.monotonic() < deadline, "the worker asks for nothing"
        await asyncio.sleep(0.01)
