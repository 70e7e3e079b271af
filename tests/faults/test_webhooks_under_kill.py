"""No webhook is lost, and none comes under another id, though the worker is killed at any moment of its delivery."""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict
from uuid import uuid4

import pytest

from agents.webhooks.events import EVENT_TYPES
from agents.webhooks.signing import signing_key
from agents.webhooks.subscriptions import add_subscription, remove_subscription
from tests.conftest import Stack
from tests.faults.conftest import SpawnWorker
from tests.support.faults.consumer_group import ConsumerGroup
from tests.support.faults.fault_report import BeginFault
from tests.support.webhook_receiver import Received, Reply, webhook_receiver
from tests.support.webhooks_broker import ENVIRONMENT, accept, accepted_drafts, with_webhooks

TOPICS = tuple(each.topic for each in EVENT_TYPES)
DRAFTS = 200
KILLS = 5


def ids_by_draft(posts: list[Received], secret: str) -> dict[str, set[str]]:
    """Return the ids under which each draft came; every post must bear the secret's signature."""
    found: dict[str, set[str]] = defaultdict(set)
    for post in posts:
        found[post.verified(secret)["data"]["draft"]["draft_id"]].add(post.webhook_id)
    return found


@pytest.mark.parametrize("is_committed", [False, True], ids=["before its checkpoint", "after its checkpoint"])
@pytest.mark.timeout(180)
async def test_a_delivery_under_way_at_a_kill_is_made_again_under_its_id(
    stack: Stack, spawn_worker: SpawnWorker, begin_fault: BeginFault, *, is_committed: bool
) -> None:
    run, settings, persona_id = begin_fault("kill -9 in a webhook"), with_webhooks(stack), f"p-{uuid4().hex}"
    interval = "0.05" if is_committed else "60"
    environment = ENVIRONMENT | {"THREADS_CHECKPOINT_INTERVAL_S": interval, "THREADS_CHECKPOINT_MAX_INTERVAL_S": "60"}
    async with webhook_receiver() as receiver:
        subscription = await add_subscription(settings, f"{receiver.url}/a", ["draft.accepted"], "*")
        receiver.held["/a"] = asyncio.Event()
        worker = spawn_worker("webhooks", slot="0", **environment)
        await worker.until_running()
        decisions = accepted_drafts(3, persona_id)
        await accept(stack, decisions)
        first = await receiver.until("/a", 3)
        if is_committed:
            group = ConsumerGroup(stack.cluster, "webhooks")
            await group.until_done(TOPICS, worker.log)
        run.inflict("kill -9 at work")
        worker.restart()
        receiver.held["/a"].set()
        posts = await receiver.until("/a", 6)
        secret = signing_key(settings).secret(subscription.subscription_id)
        found = ids_by_draft(posts, secret)
        assert found.keys() == {each.draft.draft_id for each in decisions}
        assert all(len(ids) == 1 for ids in found.values())
        assert {post.webhook_id for post in first} == {each for ids in found.values() for each in ids}
        run.events += len(decisions)
        run.found(0, 0.0)
        worker.stop()
        await remove_subscription(settings, subscription.subscription_id)


@pytest.mark.timeout(300)
async def test_killed_again_and_again_every_event_is_delivered_and_each_under_one_id(
    stack: Stack, spawn_worker: SpawnWorker, seed: int, begin_fault: BeginFault
) -> None:
    run, settings, persona_id = begin_fault("kill -9 of a webhooks worker"), with_webhooks(stack), f"p-{uuid4().hex}"
    chance = random.Random(seed)
    async with webhook_receiver() as receiver:
        subscription = await add_subscription(settings, f"{receiver.url}/a", ["draft.accepted"], "*")
        secret = signing_key(settings).secret(subscription.subscription_id)
        receiver.replies["/a"] = [Reply(chance.choice([204, 204, 503]), after_s=0.02) for _ in range(2 * DRAFTS)]
        worker = spawn_worker("webhooks", slot="0", **ENVIRONMENT)
        decisions = accepted_drafts(DRAFTS, persona_id)
        for kill in range(KILLS):
            await accept(stack, decisions[kill * DRAFTS // KILLS : (kill + 1) * DRAFTS // KILLS])
            come = len(receiver.received)
            await receiver.until("/a", come + chance.randint(1, 30))
            run.inflict("kill -9 at work")
            worker.restart()
        wanted = {each.draft.draft_id for each in decisions}
        while missing := wanted - {json.loads(each.body)["data"]["draft"]["draft_id"] for each in receiver.received}:
            assert worker.process.poll() is None, worker.log()[-3_000:]
            await receiver.until("/a", len(receiver.received) + 1)
            assert missing
        found = ids_by_draft(receiver.at("/a"), secret)
        assert found.keys() == wanted
        assert {len(ids) for ids in found.values()} == {1}
        run.events += DRAFTS
        run.found(0, 0.0)
        assert worker.stop() == 0
        await remove_subscription(settings, subscription.subscription_id)
