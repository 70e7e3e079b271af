"""The insights stage driven by hand against a simulator: posts that are really there, checkpoints, what was told."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from agents.accounts.directory import AccountDirectory, SimulatorAddress
from agents.accounts.vault import vault_of
from agents.insights.stage import InsightsStage
from agents.platforms.clients import clients
from agents.platforms.contract import Outgoing, Platform
from schemas.engagement import COUNTER_OF
from schemas.records import EngagementEvent, PlatformAccount, PostState
from streams.engine.batch import TopicPartition
from streams.engine.readings import Reading
from streams.engine.stage import LongPart, Output
from streams.settings import Settings
from streams.wall_clock import utc_now
from tests.support.listed_tail import ListedTail
from tests.support.settings import settings_with
from tests.support.simulator import RunningSimulator
from tests.support.stage_driver import DrivenStage

SOURCE = TopicPartition("posts.states", 0)
DEADLINE_S = 60.0
QUICK: dict[str, Any] = {
    "insights_least_s": 0.05,
    "insights_most_s": 0.2,
    "insights_account_every_s": 0.1,
    "insights_first_retry_s": 0.02,
    "insights_longest_retry_s": 0.2,
    "insights_pause_s": 0.2,
}
POST_METRICS = ("views", "likes", "replies", "reposts", "quotes", "shares")


def published_state(
    persona_id: str, publication_id: str, post_id: str, text: str, *, sequence: int = 5, account_id: str = ""
) -> PostState:
    """Return the state of a post that was published at the simulator just now."""
    return PostState(
        event_id=f"{publication_id}-{sequence}",
        occurred_at=utc_now(),
        persona_id=persona_id,
        publication_id=publication_id,
        sequence=sequence,
        state="published",
        platform="threads",
        account_id=account_id or f"simulated-{persona_id}",
        text=text,
        content_digest="0" * 64,
        post_id=post_id,
        simulated=True,
    )


def directory_of(settings: Settings) -> AccountDirectory:
    """Return a directory in which every persona has its simulated account alone."""
    return AccountDirectory(ListedTail[PlatformAccount](), lambda: vault_of(settings), SimulatorAddress(settings))


async def publish(platform: Platform, directory: AccountDirectory, persona_id: str, text: str) -> str:
    """Publish a post of a persona, and return its id."""
    account = directory.of_persona(persona_id)
    outgoing = Outgoing(key=text, text=text)
    return await platform.publish(account, outgoing, await platform.create_container(account, outgoing))


@dataclass
class Insights:
    """A stage, its durable state, and the records that its checkpoints made."""

    stage: DrivenStage[InsightsStage]
    platform: Platform
    directory: AccountDirectory
    state: dict[bytes, bytes] = field(default_factory=dict)
    records: list[Any] = field(default_factory=list)

    async def follow(self, persona_id: str, text: str, publication_id: str) -> PostState:
        """Publish a post and hand its state to the stage."""
        post_id = await publish(self.platform, self.directory, persona_id, text)
        state = published_state(persona_id, publication_id, post_id, text)
        self.hand(state)
        return state

    def hand(self, state: PostState) -> None:
        part: Any = self.stage.parts[SOURCE]
        part.take(state, utc_now())

    async def checkpoint(self) -> None:
        """Make durable what came about."""
        emitted = await self.stage.flush()
        for change in emitted.state:
            if change.value is None:
                self.state.pop(change.key, None)
            else:
                self.state[change.key] = change.value
        self.records += [each.record for each in emitted.outputs if isinstance(each, Output)]
        for part in self.stage.parts.values():
            assert isinstance(part, LongPart)
            part.durable()

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Take checkpoints that are due until a condition holds."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, f"{what} within {DEADLINE_S} s; told: {self.sums()}"
            if self.stage.idle_flush_due():
                await self.checkpoint()
            await asyncio.sleep(0.01)

    def of(self, kind: type) -> list[Any]:
        return [each for each in self.records if isinstance(each, kind)]

    def sums(self) -> dict[tuple[str | None, str], int]:
        """Return what the events add up to by post and counter, each event once."""
        return sums_of(self.of(EngagementEvent))

    def reading(self, name: str) -> dict[tuple[str, ...], float]:
        """Return the values of a metric by its labels."""
        found: list[Reading] = [each for each in self.stage.readings() if each.metric.name == name]
        return {each.labels: each.value for each in found}


def sums_of(events: list[EngagementEvent]) -> dict[tuple[str | None, str], int]:
    """Return what events add up to by post and counter, those of one id once."""
    found: dict[tuple[str | None, str], int] = defaultdict(int)
    for event in {each.event_id: each for each in events}.values():
        found[event.post_id, COUNTER_OF[event.kind]] += event.count
    return found


def differences(simulator: RunningSimulator, post_ids: set[str], sums: dict[tuple[str | None, str], int]) -> list[str]:
    """Return where the sums of events are not the totals that the simulator has."""
    found = []
    for post in simulator.truth()["posts"]:
        if post["id"] in post_ids:
            wanted = {**post["totals"], "clicks": sum(post["clicks"].values())}
            for metric in (*POST_METRICS, "clicks"):
                told = sums.get((post["id"], metric), 0)
                if told != wanted[metric]:
                    found.append(f"{post['id']} {metric}: told {told}, there are {wanted[metric]}")
    return found


@asynccontextmanager
async def insights(
    simulator: RunningSimulator, *, state: dict[bytes, bytes] | None = None, **changes: Any
) -> AsyncIterator[Insights]:
    """Run a stage with one partition, and the state of one before; `changes` are settings that differ from QUICK."""
    settings = settings_with(home=simulator.settings.home, **(QUICK | changes))
    directory = directory_of(settings)
    platforms = clients(settings)
    stage = DrivenStage(InsightsStage(settings, directory, lambda: platforms))
    await stage.open()
    await stage.restore(SOURCE, list((state or {}).items()))
    made = Insights(stage, platforms["threads"], directory, state=dict(state or {}))
    try:
        yield made
    finally:
        await stage.close()
