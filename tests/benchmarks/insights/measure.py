"""Posts at a simulator of the benchmark's own, and the time one worker takes to bring their numbers back."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import httpx

from agents.accounts.directory import account_directory
from agents.platforms.clients import clients
from agents.platforms.contract import Outgoing
from schemas.catalogue import topic_named
from schemas.engagement import COUNTER_OF
from schemas.records import EngagementEvent, InsightsSnapshot, PostState
from schemas.registries.registry import open_registry
from streams.endpoints import read_endpoints
from streams.engine.stage import Output
from streams.errors import ThreadsError
from streams.kafka.producer import EventProducer
from streams.kafka.topic_tail import WHOLE, TopicTail
from streams.settings import Settings
from streams.wall_clock import utc_now
from tests.benchmarks.running.own_broker import Broker

AT_ONCE = 16
POSTS_PER_ACCOUNT = 100  # below the quota of a day
POLL_S = 0.5
STALL_TIMEOUT_S = 120.0
QUICK_AUDIENCE = {"THREADS_SIMULATOR_AUDIENCE_SPEED": "1000000", "THREADS_SIMULATOR_READY_S": "0"}
QUICK_AUDIENCE |= {"THREADS_SIMULATOR_SLOW_SHARE": "0"}
"""Posts that get all they ever get in two seconds: their numbers stand still when they are asked for."""
AGE = timedelta(minutes=10)  # the states say that the posts are so old: all are due at once
INTERVAL_S = 600.0
ONE_ROUND = {"THREADS_INSIGHTS_LEAST_S": str(INTERVAL_S)}
METRICS = ("views", "likes", "replies", "reposts", "quotes", "shares")


@dataclass(frozen=True, slots=True)
class Polled:
    """What a round took; `differences` are totals of the simulator that the events do not add up to."""

    posts: int
    accounts: int
    seconds: float
    calls: int
    events: int
    differences: int

    @property
    def posts_per_second(self) -> float:
        """Return the rate."""
        return self.posts / self.seconds


async def published(broker: Broker, posts: int, told: Callable[[str], None]) -> list[PostState]:
    """Publish posts at the simulator, a hundred by account, and return their states."""
    settings = Settings(home=broker.home, kafka=broker.bootstrap)
    directory = account_directory(broker.cluster(), open_registry(None), settings)
    platforms = clients(settings)
    slots, made = asyncio.Semaphore(AT_ONCE), list[PostState]()

    async def publish(number: int) -> None:
        async with slots:
            account = directory.of_persona(f"bench-{number // POSTS_PER_ACCOUNT}")
            outgoing = Outgoing(key=str(number), text=f"Post {number}")
            platform = platforms[account.platform]
            post_id = await platform.publish(account, outgoing, await platform.create_container(account, outgoing))
        made.append(_state(account.username, account.account_id, number, post_id))
        if len(made) % 500 == 0:
            told(f"{len(made):,} of {posts:,} posts are at the simulator")

    try:
        await directory.refresh()
        await asyncio.gather(*map(publish, range(posts)))
    finally:
        await directory.close()
        for platform in platforms.values():
            await platform.close()
    return made


def _state(persona_id: str, account_id: str, number: int, post_id: str) -> PostState:
    return PostState(
        event_id=f"bench-state-{number}",
        occurred_at=utc_now() - AGE,
        persona_id=persona_id,
        publication_id=f"bench-{number}",
        sequence=1,
        state="published",
        platform="threads",
        account_id=account_id,
        text=f"Post {number}",
        content_digest="0" * 64,
        post_id=post_id,
        simulated=True,
    )


async def polled(broker: Broker, states: list[PostState], check: Callable[[], None]) -> Polled:
    """Hand the states to the worker that runs, and wait until each post has a snapshot."""
    snapshots = _Tail(broker, "insights.snapshots", InsightsSnapshot)
    events = _Tail(broker, "engagement.events", EngagementEvent)
    before = _calls(await _truth(broker))
    try:
        async with EventProducer(broker.cluster(), open_registry(None)) as producer:
            began = time.monotonic()
            await producer.append_all([Output("posts.states", state) for state in states])
        await snapshots.until(len(states), check)
        seconds = time.monotonic() - began
        calls = _calls(await _truth(broker)) - before
        differences = await _settled(broker, events, check)
        accounts = len({state.account_id for state in states})
        return Polled(len(states), accounts, seconds, calls, len(events.records), differences)
    finally:
        await snapshots.tail.close()
        await events.tail.close()


class _Tail:
    """The records of a topic by their ids, those of posts alone."""

    def __init__(self, broker: Broker, topic: str, kind: type[InsightsSnapshot | EngagementEvent]) -> None:
        self.tail = TopicTail[InsightsSnapshot | EngagementEvent](
            broker.cluster(), open_registry(None), {topic_named(topic): WHOLE}, kind
        )
        self.records: dict[str, InsightsSnapshot | EngagementEvent] = {}

    async def read(self) -> None:
        for entry in (await self.tail.read_on()).entries:
            if entry.record is not None and entry.record.post_id is not None:
                self.records[entry.record.event_id] = entry.record

    async def until(self, posts: int, check: Callable[[], None]) -> None:
        """Wait until so many posts have a record."""
        known, changed_at = 0, time.monotonic()
        while known < posts:
            check()
            await asyncio.sleep(POLL_S)
            await self.read()
            found = len({each.post_id for each in self.records.values()})
            if found > known:
                known, changed_at = found, time.monotonic()
            elif time.monotonic() - changed_at > STALL_TIMEOUT_S:
                raise ThreadsError(
                    f"{known:,} of {posts:,} posts were asked for, and for {STALL_TIMEOUT_S:g} s no more"
                )


async def _settled(broker: Broker, events: _Tail, check: Callable[[], None]) -> int:
    """Return in how many totals events and simulator differ, once nothing changes any more."""
    truth = await _truth(broker)
    left = -1
    for _ in range(20):
        check()
        await events.read()
        now = _differences(truth, events)
        if now in (0, left):
            return now
        left = now
        await asyncio.sleep(POLL_S)
    return left


def _differences(truth: Mapping[str, list[dict[str, object]]], events: _Tail) -> int:
    sums: dict[tuple[str | None, str], int] = defaultdict(int)
    for event in events.records.values():
        if isinstance(event, EngagementEvent):
            sums[event.post_id, COUNTER_OF[event.kind]] += event.count
    wrong = 0
    for post in truth["posts"]:
        totals = post["totals"]
        assert isinstance(totals, dict), "the simulator tells the totals of each post"
        wrong += sum(sums[str(post["id"]), metric] != totals[metric] for metric in METRICS)
    return wrong


async def _truth(broker: Broker) -> dict[str, list[dict[str, object]]]:
    async with httpx.AsyncClient(timeout=120.0, trust_env=False) as client:
        answer = await client.get(f"{read_endpoints(broker.home).simulator}/truth")
        found: dict[str, list[dict[str, object]]] = answer.raise_for_status().json()
        return found


def _calls(truth: Mapping[str, object]) -> int:
    calls = truth["calls"]
    assert isinstance(calls, dict), "the simulator counts the calls of each user by route"
    return sum(sum(of_user.values()) for of_user in calls.values())
