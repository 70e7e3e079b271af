"""The stage that publishes: posts.commands -> posts on platforms, posts.states, posts.published, platform.accounts."""

from __future__ import annotations

import json
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import ClassVar

from agents.accounts.directory import AccountDirectory
from agents.personas.directory import PersonaDirectory
from agents.platforms.contract import Platform
from agents.platforms.settings import PlatformSettings
from agents.publishing.acting.acts import step
from agents.publishing.acting.desk import Desk
from agents.publishing.metrics import (
    PUBLISHING_CALLS,
    PUBLISHING_DOUBT,
    PUBLISHING_OPEN,
    PUBLISHING_OVERDUE,
    PUBLISHING_STATES,
    PUBLISHING_STUCK,
)
from agents.publishing.partition import Job, PartitionPublications, PublishContext
from agents.publishing.publication import BEFORE_THE_CALL, UNRESOLVED
from agents.publishing.settings import PublishingSettings
from streams.embedded.offline_models import PACKAGED, offline_model_of
from streams.engine.batch import TopicPartition
from streams.engine.lanes import Lanes
from streams.engine.readings import Reading
from streams.engine.stage import Effects, LongStage
from streams.errors import Unavailable
from streams.settings import Settings
from streams.wall_clock import utc_now

logger = logging.getLogger(__name__)

OPEN_STATES = sorted(state for state in BEFORE_THE_CALL | UNRESOLVED if state is not None)
INTENT_SHARE = 1 / 3
"""Of the session time-out, how long a durable intent is acted upon: nobody else can have the partition before."""
DIRECTORIES_AGE_S = 2.0
AWAY_S = 5.0
CLOCK_LOOK_S = 0.1
CLOCK_SET_S = 1.0
FORGET_EVERY_S = 3600.0


class PublishStage(LongStage[PartitionPublications]):
    """Publish what is accepted, each part exactly once.

    Reads: posts.commands; besides, the personas in force and the accounts.
    Writes: posts.states, posts.published, and platform.accounts where a platform rejects one.
    Decides: `publication.py` what state leads where, `acting` what is done next.
    State: each publication whole, by its id.
    """

    name: ClassVar[str] = "publish"
    topics: ClassVar[tuple[str, ...]] = ("posts.commands",)
    stateful: ClassVar[bool] = True

    def __init__(
        self,
        settings: Settings,
        platforms: Callable[[], Mapping[str, Platform]],
        accounts: AccountDirectory,
        directory: PersonaDirectory,
        *,
        clock: Callable[[], datetime] = utc_now,
        steady: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Publish on `platforms`, which are opened with the stage; `steady` is a clock that nobody sets."""
        wanted = settings.of(PublishingSettings)
        self._settings = settings
        self._open_platforms = platforms
        self._platforms: Mapping[str, Platform] = {}
        self._accounts = accounts
        self._directory = directory
        self._clock = clock
        self._steady = steady
        self._draw = draw
        self._parts: dict[TopicPartition, PartitionPublications] = {}
        self._lanes: Lanes[Job] = Lanes(self._work, self._steady_now, at_once=wanted.publish_at_once)
        fence_s = settings.session_timeout_s * INTENT_SHARE
        self._context = PublishContext(self._lanes, wanted, clock, steady, fence_s)
        self._desk: Desk | None = None
        self._clocks_apart_s = self._apart_s()
        self._clocks_looked_at_s = steady()
        self._forgot_at_s = steady()

    def _steady_now(self) -> datetime:
        return self._context.steady_at(0.0)

    def _apart_s(self) -> float:
        return self._clock().timestamp() - self._steady()

    async def open(self) -> None:
        self._platforms = self._open_platforms()
        models = [*PACKAGED.values(), offline_model_of(self._settings.offline_model)]
        self._desk = Desk(
            self._platforms,
            self._accounts,
            self._directory,
            self._context,
            timeout_s=self._settings.of(PlatformSettings).platform_timeout_s,
            offline_models=frozenset(each.served_as for each in models),
            draw=self._draw,
        )

    def owner_of(self, key: bytes, value: bytes) -> str:
        """Return the persona of a publication."""
        del key
        return str(json.loads(value)["persona_id"])

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> PartitionPublications:
        part = PartitionPublications(source, state, self._context, self._parts.pop)
        self._parts[source] = part
        return part

    async def catch_up(self) -> None:
        await self._accounts.refresh()
        await self._directory.refresh()

    async def room(self) -> None:
        await self._lanes.until_open()

    async def _work(self, job: Job) -> None:
        """Take a publication one step further."""
        job.is_under_way = True
        try:
            await self._accounts.refresh(max_age_s=DIRECTORIES_AGE_S)
            await self._directory.refresh(max_age_s=DIRECTORIES_AGE_S)
        except Unavailable as error:
            logger.warning("Publications wait; nothing is lost: %s", error)
            job.part.looked(job, AWAY_S)
            return
        if not job.is_void:
            assert self._desk is not None, "the stage is open"
            job.part.looked(job, await step(self._desk, job))

    # checkpoints

    def idle_flush_due(self, parts: Collection[PartitionPublications]) -> bool:
        """Tell whether something came of a publication."""
        self._look_at_clocks()
        return self._lanes.is_broken or any(part.has_effects for part in parts)

    def _look_at_clocks(self) -> None:
        """Look at what waits for a time of day when the wall clock was set."""
        now_s = self._steady()
        if now_s - self._clocks_looked_at_s < CLOCK_LOOK_S:
            return
        self._clocks_looked_at_s = now_s
        apart_s = self._apart_s()
        if abs(apart_s - self._clocks_apart_s) > CLOCK_SET_S:
            self._clocks_apart_s = apart_s
            for part in list(self._parts.values()):
                part.look_at_what_is_due()

    async def flush(self, parts: Mapping[TopicPartition, PartitionPublications]) -> Mapping[TopicPartition, Effects]:
        """Return what came about; what ends the worker is raised when all that came before it is durable."""
        if self._lanes.is_broken and not any(part.has_effects for part in parts.values()):
            self._lanes.check()
        if self._steady() - self._forgot_at_s > FORGET_EVERY_S:
            self._forgot_at_s = self._steady()
            for part in parts.values():
                part.forget_old(self._clock())
        return await super().flush(parts)

    # readings

    def readings(self) -> Iterable[Reading]:
        """Return what is open, overdue and in doubt, and what was told and called."""
        now, stuck_s = self._clock(), self._context.wanted.publish_stuck_s
        open_now, overdue, doubts = Counter[str](), [0.0], [0.0]
        for each in (each for part in self._parts.values() for each in part):
            index = each.current
            if index is None or (state := each.parts[index].state) is None:
                continue
            open_now[state] += 1
            since = each.parts[index].since
            if state in UNRESOLVED and since is not None:
                doubts.append((now - since).total_seconds())
            elif state in {"scheduled", "container_created"} and each.due_at is not None:
                overdue.append((now - each.due_at).total_seconds())
        yield from (Reading(PUBLISHING_OPEN, (state,), float(open_now[state])) for state in OPEN_STATES)
        told = self._context.told
        yield from (Reading(PUBLISHING_STATES, (state,), float(count)) for state, count in sorted(told.items()))
        yield Reading(PUBLISHING_OVERDUE, (), max(overdue))
        yield Reading(PUBLISHING_DOUBT, (), max(doubts))
        yield Reading(PUBLISHING_STUCK, (), float(sum(each > stuck_s for each in (*overdue, *doubts))))
        calls = self._desk.calls if self._desk is not None else Counter[tuple[str, str]]()
        yield from (Reading(PUBLISHING_CALLS, labels, float(count)) for labels, count in sorted(calls.items()))

    # coming and going

    async def drain(self, within_s: float) -> bool:
        """Begin nothing that can't be taken back, and take the answers of the calls under way."""
        for part in self._parts.values():
            part.hold_back()
        await self._lanes.drain(within_s)
        return any(part.has_effects for part in self._parts.values()) and not self._lanes.is_broken

    def resume(self) -> None:
        for part in self._parts.values():
            part.go_on()
        self._lanes.resume()

    async def close(self) -> None:
        for part in list(self._parts.values()):
            await part.leave()
        await self._lanes.close()
        for platform in self._platforms.values():
            await platform.close()
        await self._accounts.close()
        await self._directory.close()
