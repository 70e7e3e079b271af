"""The publish stage driven by hand: a platform in memory, clocks that stand, a state that outlives it."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from agents.accounts.directory import AccountDirectory
from agents.accounts.vault import Vault
from agents.personas.directory import PersonaDirectory
from agents.personas.persona import Persona
from agents.personas.persona_topic import persona_applied
from agents.personas.posting import Approval, PostingPlan
from agents.platforms.contract import Platform
from agents.publishing.approval import content_digest
from agents.publishing.identity import publication_of_draft
from agents.publishing.publication import EDGES
from agents.publishing.publish_stage import PublishStage
from schemas.records import PersonaApplied, PlatformAccount, PostCommand, PostPublished, PostState
from streams.engine.batch import Row, RowBatch, TopicPartition
from streams.engine.stage import Effects, Output
from tests.support.drafting import samples
from tests.support.listed_tail import ListedTail
from tests.support.memory_platform import MemoryPlatform
from tests.support.settings import settings_with

QUIET_TURNS = 12  # of the loop, after which nothing moves any more
COMMANDS = TopicPartition("posts.commands", 0)
START = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
PERSONA = "night-shift-nora"
SIMULATOR = "http://127.0.0.1:1/v1.0"
VAULT = Vault(b"a key of thirty-two bytes or more")
QUICK: dict[str, Any] = {
    "publish_lead_s": 60.0,
    "publish_first_look_s": 0.0,
    "publish_look_s": 10.0,
    "publish_ready_within_s": 60.0,
    "publish_first_retry_s": 1.0,
    "publish_longest_retry_s": 60.0,
    "publish_reconcile_s": 1.0,
    "publish_grace_s": 5.0,
    "publish_outside_s": 10.0,
    "platform_timeout_s": 20.0,
}


@cache
def _sample(persona_id: str) -> Persona:
    return next(each for each in samples() if each.persona_id == persona_id)


@dataclass
class Clock:
    """A wall clock and a steady one that stand still until they are moved on, or the wall clock is set."""

    wall: datetime = START
    steady_s: float = 1_000.0

    def pass_by(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.steady_s += seconds

    def now(self) -> datetime:
        return self.wall

    def steady(self) -> float:
        return self.steady_s


@dataclass
class World:
    """What outlives a worker: the log of commands, the state, the records, the platform, the directories."""

    clock: Clock = field(default_factory=Clock)
    settings: dict[str, Any] = field(default_factory=dict)
    simulator: str | None = SIMULATOR
    log: list[PostCommand] = field(default_factory=list)
    state: dict[bytes, bytes] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    personas: ListedTail[PersonaApplied] = field(default_factory=ListedTail)
    accounts: ListedTail[PlatformAccount] = field(default_factory=ListedTail)

    def __post_init__(self) -> None:
        self.platform = MemoryPlatform(self.clock.now)
        self.plan(PostingPlan())

    def plan(self, posting: PostingPlan, persona_id: str = PERSONA) -> None:
        """Put a persona with a plan in force."""
        changed = _sample(persona_id).model_copy(update={"posting": posting})
        self.personas.append(persona_id, persona_applied(changed, self.clock.now()))

    def plan_approval(self, approval: Approval) -> None:
        """Put a plan in force that differs in who approves."""
        self.plan(PostingPlan(approval=approval))

    def command(self, kind: Any, **fields: Any) -> PostCommand:
        """Append a command."""
        made = PostCommand(
            **{"event_id": f"e{len(self.log)}", "occurred_at": self.clock.now(), "persona_id": PERSONA, **fields},
            kind=kind,
        )
        self.log.append(made)
        return made

    def propose(self, draft_id: str, *texts: str, decision: Any = "accepted", **fields: Any) -> str:
        """Append the proposal of a draft; return the publication's id."""
        self.command("propose", draft_id=draft_id, texts=texts or (f"text of {draft_id}",), decision=decision, **fields)
        return publication_of_draft(draft_id)

    def review(self, draft_id: str, decision: Any, *texts: str, revision: int = 0, **fields: Any) -> None:
        """Append a review of a draft's text."""
        digest = content_digest(texts or (f"text of {draft_id}",))
        fields = {"requested_by": "ann", **fields}
        self.command("review", draft_id=draft_id, content_digest=digest, decision=decision, revision=revision, **fields)

    # what was told

    def states(self, publication_id: str | None = None, part: int | None = None) -> list[PostState]:
        """Return the states in order, each once: a record told again has to be the very same."""
        found: dict[str, PostState] = {}
        for each in (output.record for output in self.outputs):
            if not isinstance(each, PostState) or publication_id not in {None, each.publication_id}:
                continue
            if part in {None, each.part}:
                assert found.setdefault(each.event_id, each) == each, "told again, and differently"
        return list(found.values())

    def names(self, publication_id: str | None = None, part: int | None = None) -> list[str]:
        return [each.state for each in self.states(publication_id, part)]

    def last(self, publication_id: str, part: int = 0) -> PostState:
        return max(self.states(publication_id, part), key=lambda each: each.sequence)

    def published(self) -> dict[str, PostPublished]:
        found: dict[str, PostPublished] = {}
        for each in (output.record for output in self.outputs):
            if isinstance(each, PostPublished):
                assert found.setdefault(each.event_id, each) == each, "told again, and differently"
        return found

    def account_records(self) -> list[PlatformAccount]:
        return [each.record for each in self.outputs if isinstance(each.record, PlatformAccount)]

    def check(self) -> None:
        """Check what always holds of what was told: no gap, allowed edges only, no post twice."""
        by_part: dict[tuple[str, int], list[PostState]] = defaultdict(list)
        for each in self.states():
            by_part[each.publication_id, each.part].append(each)
        for key, told in by_part.items():
            told.sort(key=lambda each: each.sequence)
            assert [each.sequence for each in told] == list(range(1, len(told) + 1)), (key, told)
            edges = zip([None, *(each.state for each in told)], (each.state for each in told), strict=False)
            assert all(after in EDGES[before] for before, after in edges), (key, told)
        keys = Counter(outgoing.key for _, outgoing in self.platform.ever)
        assert all(count == 1 for count in keys.values()), f"published twice: {keys}"


class Driven:
    """One life of a worker with the stage; on the platform in memory unless others are given."""

    def __init__(self, world: World, platforms: Mapping[str, Platform] | None = None) -> None:
        self.world = world
        clock = world.clock
        settings = settings_with(**{**QUICK, **world.settings})
        accounts = AccountDirectory(world.accounts, lambda: VAULT, lambda: world.simulator, clock.steady)
        directory = PersonaDirectory(world.personas, clock.steady)
        self.stage = PublishStage(
            settings,
            lambda: platforms or {"threads": world.platform},
            accounts,
            directory,
            clock=clock.now,
            steady=clock.steady,
            draw=lambda: 0.5,
        )

    async def start(self) -> None:
        await self.stage.open()
        self.part = await self.stage.take(COMMANDS, sorted(self.world.state.items()))
        self.read = 0

    async def take_commands(self) -> None:
        """Read what was appended, and what a commit was lost of."""
        rows = [Row(offset, record) for offset, record in enumerate(self.world.log)]
        if rows[self.read :]:
            assert not await self.part.add(RowBatch(COMMANDS, rows[self.read :]))
        self.read = len(rows)

    async def settle(self) -> None:
        """Let everything run that can, until all wait for a time, a checkpoint or an answer that does not come."""
        lanes = self.stage._lanes
        for _ in range(10_000):
            for name in list(lanes._lanes):
                lanes._go_on(name)
            before = self._marks()
            for _ in range(QUIET_TURNS):
                await asyncio.sleep(0)
            if self._marks() == before:
                return
        raise AssertionError("it never comes to rest")

    def _marks(self) -> tuple[int, ...]:
        """Return what changes with all that happens."""
        lanes = self.stage._lanes
        return self.world.platform.calls.total(), len(self.part._dirty), next(copy(lanes._numbers)), lanes.under_way

    async def flush(self) -> Effects:
        """Return what a checkpoint makes durable; nothing of it is yet."""
        return (await self.stage.flush({COMMANDS: self.part}))[COMMANDS]

    def write_state(self, effects: Effects) -> None:
        for key, value in effects.changes:
            if value is None:
                self.world.state.pop(key, None)
            else:
                self.world.state[key] = value

    def write_outputs(self, effects: Effects) -> None:
        for output in effects.outputs:
            assert isinstance(output, Output)
            self.world.outputs.append(output)
            if isinstance(output.record, PlatformAccount):
                self.world.accounts.append(output.record.account_id, output.record)

    async def checkpoint(self) -> None:
        effects = await self.flush()
        self.write_state(effects)
        self.write_outputs(effects)
        self.part.durable()

    async def run(self, rounds: int = 200) -> None:
        """Take commands, act and take checkpoints until nothing comes of it any more."""
        for _ in range(rounds):
            await self.take_commands()
            await self.settle()
            if not self.stage.idle_flush_due([self.part]):
                return
            await self.checkpoint()
        raise AssertionError("it never comes to rest")

    async def over(self, seconds: float, step_s: float = 1.0) -> None:
        """Let time pass, and act."""
        left = seconds
        while left > 0:
            self.world.clock.pass_by(min(step_s, left))
            left -= step_s
            await self.run()

    async def until(self, condition: Callable[[], object], within_s: float = 600.0, step_s: float = 1.0) -> None:
        """Let time pass until a condition holds."""
        await self.run()
        for _ in range(int(within_s / step_s)):
            if condition():
                return
            self.world.clock.pass_by(step_s)
            await self.run()
        raise AssertionError(f"not within {within_s:g} s; told: {self.world.names()}")

    async def drain(self) -> None:
        """Come to an end as at a signal: no act is begun, and what came about is made durable."""
        await self.stage.drain(0.0)
        await self.settle()
        await self.checkpoint()

    async def crash(self) -> None:
        """End at once: what is not in the state is gone, and calls under way may or may not have been done."""
        await self.stage.close()


@asynccontextmanager
async def publishing(world: World | None = None, **settings: Any) -> AsyncIterator[tuple[World, Driven]]:
    """Run a stage in a world; `settings` are those that differ from QUICK."""
    world = world or World()
    world.settings |= settings
    driven = Driven(world)
    await driven.start()
    try:
        yield world, driven
    finally:
        await driven.crash()
