"""Publishing on the session's broker, at a simulator: a home of the test's own, a worker's settings, what was told."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

from agents.accounts.directory import with_state
from agents.personas.persona_topic import persona_applied
from agents.personas.posting import PostingPlan
from agents.publishing.identity import publication_of_draft
from agents.publishing.publication import EDGES
from schemas.catalogue import topic_named
from schemas.records import PlatformAccount, PostCommand, PostState
from schemas.registries.registry import open_registry
from streams.endpoints import update_endpoints
from streams.engine.stage import Output
from streams.kafka.topic_tail import WHOLE, TopicTail
from streams.settings import Settings
from streams.wall_clock import utc_now
from tests.conftest import Stack
from tests.support.drafting import samples
from tests.support.simulator import RunningSimulator, running_simulator
from tests.support.webhooks_broker import append

DEADLINE_S = 90.0
ENVIRONMENT = {
    "THREADS_PUBLISH_FIRST_LOOK_S": "0",
    "THREADS_PUBLISH_LOOK_S": "0.2",
    "THREADS_PUBLISH_FIRST_RETRY_S": "0.1",
    "THREADS_PUBLISH_LONGEST_RETRY_S": "1",
    "THREADS_PUBLISH_RECONCILE_S": "0.2",
    "THREADS_PUBLISH_OUTSIDE_S": "0.5",
    "THREADS_PUBLISH_GRACE_S": "0",
    "THREADS_PUBLISH_QUOTA_AGE_S": "0",
    "THREADS_PLATFORM_TIMEOUT_S": "5",
    "THREADS_SESSION_TIMEOUT_S": "6",
}


class StateLog:
    """What is told on posts.states, by persona; personas of one test share it."""

    def __init__(self, stack: Stack) -> None:
        topic = topic_named("posts.states")
        self._tail = TopicTail(stack.cluster, open_registry(None), {topic: WHOLE}, PostState)
        self._told: dict[str, list[PostState]] = defaultdict(list)
        self._reading = asyncio.Lock()

    def of(self, persona_id: str) -> list[PostState]:
        return self._told[persona_id]

    async def read(self) -> None:
        """Read on what was told."""
        async with self._reading:
            for entry in (await self._tail.read_on()).entries:
                if entry.record is not None:
                    self._told[entry.record.persona_id].append(entry.record)

    async def close(self) -> None:
        await self._tail.close()


@dataclass
class Publishing:
    """A persona of the test's own, its simulator, and what was told of its publications."""

    stack: Stack
    simulator: RunningSimulator
    log: StateLog
    persona_id: str = field(default_factory=lambda: f"p-{uuid4().hex[:12]}")

    @property
    def states(self) -> list[PostState]:
        """Return what was told of this persona's publications, as far as it was read."""
        return self.log.of(self.persona_id)

    @property
    def settings(self) -> Settings:
        """Return the settings of the simulator, whose home is that of the workers."""
        return self.simulator.settings

    async def read(self) -> None:
        """Read on what was told."""
        await self.log.read()

    async def close(self) -> None:
        await self.log.close()

    async def apply(self, posting: PostingPlan) -> None:
        """Put the persona in force with a plan."""
        persona = samples()[0].model_copy(update={"persona_id": self.persona_id, "posting": posting})
        await append(self.stack, Output("personas", persona_applied(persona, utc_now())))

    async def command(self, kind: Any, **fields: Any) -> PostCommand:
        """Append a command."""
        made = PostCommand(
            **{"event_id": uuid4().hex, "occurred_at": utc_now(), "persona_id": self.persona_id, **fields}, kind=kind
        )
        await append(self.stack, Output("posts.commands", made))
        return made

    async def propose(self, count: int) -> list[str]:
        """Propose accepted drafts; return their publications."""
        drafts = [uuid4().hex for _ in range(count)]
        await append(
            self.stack,
            *(
                Output(
                    "posts.commands",
                    PostCommand(
                        event_id=f"propose-{draft_id}",
                        occurred_at=utc_now(),
                        persona_id=self.persona_id,
                        kind="propose",
                        draft_id=draft_id,
                        texts=(f"text of {draft_id}",),
                        decision="accepted",
                    ),
                )
                for draft_id in drafts
            ),
        )
        return [publication_of_draft(draft_id) for draft_id in drafts]

    async def account_is(self, account_id: str, state: str) -> None:
        """Put the account in a state, as `accounts` does, once its rejection is on the topic."""
        tail = TopicTail(
            self.stack.cluster, open_registry(None), {topic_named("platform.accounts"): WHOLE}, PlatformAccount
        )
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not (
                    found := [
                        each.record
                        for each in (await tail.read_on(anew=True)).entries
                        if each.record is not None and each.record.account_id == account_id
                    ]
                ):
                    await asyncio.sleep(0.1)
        finally:
            await tail.close()
        await append(self.stack, Output("platform.accounts", with_state(found[-1], state, None, utc_now())))

    def last(self, publication_id: str, part: int = 0) -> PostState | None:
        told = [each for each in self.states if (each.publication_id, each.part) == (publication_id, part)]
        return max(told, key=lambda each: each.sequence, default=None)

    def all_are(self, state: str, publications: list[str]) -> bool:
        """Tell whether the first part of all publications is in a state."""
        return all((last := self.last(each)) is not None and last.state == state for each in publications)

    async def until(self, holds: Callable[[], object], explain: Callable[[], str] = str) -> None:
        """Read on until a condition holds."""
        deadline = time.monotonic() + DEADLINE_S
        await self.log.read()
        while not holds():
            told = [(each.publication_id[:8], each.sequence, each.state, each.reason) for each in self.states[-8:]]
            assert time.monotonic() < deadline, f"not reached; told last: {told}\n{explain()[-3_000:]}"
            await asyncio.sleep(0.1)
            await self.log.read()

    def posts(self) -> list[str]:
        """Return the texts that are at the simulator."""
        return [each["text"] for each in self.simulator.posts(self.persona_id)]

    def check(self) -> None:
        """Check that nothing was told with a gap or along an edge that there is not, nor published twice."""
        by_part: dict[tuple[str, int], dict[str, PostState]] = defaultdict(dict)
        for each in self.states:
            known = by_part[each.publication_id, each.part].setdefault(each.event_id, each)
            assert known == each, "told again, and differently"
        for told in by_part.values():
            states = sorted(told.values(), key=lambda each: each.sequence)
            assert [each.sequence for each in states] == list(range(1, len(states) + 1)), states
            names = [None, *(each.state for each in states)]
            assert all(after in EDGES[before] for before, after in pairwise(names)), names
        texts = self.posts()
        assert len(texts) == len(set(texts)), "published twice"


class AtSimulator:
    """The stack as workers see it whose home is another: with a simulator of their own."""

    def __init__(self, stack: Stack, home: Path) -> None:
        self._stack = stack
        self.home = home
        update_endpoints(home, kafka=stack.bootstrap)

    def environment(self) -> dict[str, str]:
        return {**self._stack.environment(), "THREADS_HOME": str(self.home), **ENVIRONMENT}


@contextmanager
def simulated(stack: Stack, home: Path, **settings: Any) -> Iterator[tuple[AtSimulator, Publishing]]:
    """Run a simulator in a home of its own, and a persona there."""
    surroundings = AtSimulator(stack, home)
    with running_simulator(home, **settings) as simulator:
        yield surroundings, Publishing(stack, simulator, StateLog(stack))
