"""The role `posts-watchdog`: sees from outside of the publisher what is late or does not get on, and has it looked at.

It also has tokens of accounts refreshed before they end. Nothing depends on it, and several of them do no harm: the
heals of all have the same ids.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from agents.accounts.directory import account_directory
from agents.accounts.refresh import refresh_due
from agents.publishing.open_parts import OPEN_STATES, UNDER_WAY, Kind, OpenParts, Patience, Trouble
from agents.publishing.settings import PublishingSettings
from agents.publishing.watchdog_metrics import (
    ACCOUNT_STATE,
    ACCOUNT_TOKEN_EXPIRY,
    POSTS_HEALS,
    POSTS_LAST_PUBLISHED,
    POSTS_OPEN,
    POSTS_OVERDUE,
    POSTS_OVERDUE_OLDEST,
    POSTS_STUCK,
    POSTS_STUCK_OLDEST,
    POSTS_WATCHED,
)
from schemas.catalogue import topic_named
from schemas.records import PlatformAccount, PostState
from streams.engine.readings import Reading
from streams.engine.service import ServiceRun
from streams.engine.stage import Output
from streams.engine.worker_metrics import families
from streams.errors import ThreadsError, Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.producer import EventProducer
from streams.kafka.topic_tail import Beginning, TopicTail
from streams.role import ServiceRole
from streams.settings import Settings
from streams.wall_clock import utc_now

logger = logging.getLogger(__name__)

STATES = topic_named("posts.states")
COMMANDS = "posts.commands"
ACCOUNT_STATES = ("active", "token_rejected", "restricted")
ACCOUNTS_MAX_AGE_S = 5.0
TOKEN_ROUND_EVERY = timedelta(minutes=10)
LOOK_BACK = 20_000  # states of a partition that are read at the start; from then on it knows all


class News(Protocol):
    """States that came since the last call; raises `Unavailable`."""

    async def news(self) -> Sequence[PostState]: ...


class Appender(Protocol):
    """What makes records durable; raises `Unavailable`."""

    async def append_all(self, outputs: Iterable[Output]) -> None: ...


class Watchdog:
    """Look at all states again and again; what is in trouble gets a heal, again after pauses that grow."""

    def __init__(self, states: News, appender: Appender, patience: Patience, clock: Callable[[], datetime]) -> None:
        self._states = states
        self._appender = appender
        self._patience = patience
        self._clock = clock
        self._parts = OpenParts()
        self._healed: dict[tuple[str, int], str] = {}
        self._heals: Counter[Kind] = Counter()
        self._readings: tuple[Reading, ...] = ()

    async def look(self) -> list[Trouble]:
        """Take in what came, ask for the heals that are due, and return what is in trouble.

        Raises:
            Unavailable: Kafka does not answer; the next look does what this one did not.
        """
        for state in await self._states.news():
            self._parts.put(state)
        now = self._clock()
        troubles = list(self._parts.troubles(now, self._patience))
        self._readings = tuple(self._told(troubles, now))
        await self._heal(troubles, now)
        return troubles

    async def _heal(self, troubles: Sequence[Trouble], now: datetime) -> None:
        commands = {each.key: (each, each.command(now)) for each in troubles}
        due = [key for key, (_, command) in commands.items() if self._healed.get(key) != command.event_id]
        await self._appender.append_all([Output(COMMANDS, commands[key][1]) for key in due])
        for trouble, command in (commands[key] for key in due):
            self._heals[trouble.kind] += 1
            logger.warning("Publication %s, part %d: %s", command.publication_id, trouble.state.part, command.reason)
        self._healed = {key: command.event_id for key, (_, command) in commands.items()}

    def readings(self) -> Iterator[Reading]:
        """Yield what the last look found."""
        yield from self._readings
        for kind in ("overdue", "stuck"):
            yield Reading(POSTS_HEALS, (kind,), float(self._heals[kind]))

    def _told(self, troubles: Sequence[Trouble], now: datetime) -> Iterator[Reading]:
        by_state = self._parts.by_state()
        for state in OPEN_STATES:
            yield Reading(POSTS_OPEN, (state,), float(by_state.get(state, 0)))
        overdue, stuck = ([each for each in troubles if each.kind == kind] for kind in ("overdue", "stuck"))
        yield Reading(POSTS_OVERDUE, (), float(len(overdue)))
        yield Reading(POSTS_OVERDUE_OLDEST, (), _oldest(overdue, now))
        stuck_in = Counter(each.state.state for each in stuck)
        for state in UNDER_WAY:
            yield Reading(POSTS_STUCK, (state,), float(stuck_in[state]))
        yield Reading(POSTS_STUCK_OLDEST, (), _oldest(stuck, now))
        yield Reading(POSTS_WATCHED, (), now.timestamp())
        if self._parts.last_published_at is not None:
            yield Reading(POSTS_LAST_PUBLISHED, (), self._parts.last_published_at.timestamp())


def _oldest(troubles: Sequence[Trouble], now: datetime) -> float:
    return max(((now - each.since).total_seconds() for each in troubles), default=0.0)


def account_readings(accounts: Iterable[PlatformAccount], now: datetime) -> Iterator[Reading]:
    """Yield the state of each account that was not removed, and how long its token is good for."""
    for each in accounts:
        if each.state == "removed":
            continue
        for state in ACCOUNT_STATES:
            yield Reading(ACCOUNT_STATE, (each.account_id, each.platform, state), float(state == each.state))
        if each.token_expires_at is not None and each.token_cipher is not None:
            left = (each.token_expires_at - now).total_seconds()
            yield Reading(ACCOUNT_TOKEN_EXPIRY, (each.account_id, each.platform), left)


class _Shown(Collector):
    def __init__(self, readings: Callable[[], Iterable[Reading]]) -> None:
        self._readings = readings

    def collect(self) -> Iterable[Family]:
        return list(families(self._readings()))


def patience_of(settings: Settings) -> Patience:
    """Return how long posts may take, as the settings say."""
    wanted = settings.of(PublishingSettings)
    return Patience(
        timedelta(seconds=wanted.publish_overdue_after_s),
        timedelta(seconds=wanted.publish_stuck_s),
        timedelta(seconds=wanted.publish_longest_heal_pause_s),
    )


class TokenRounds:
    """Have tokens refreshed, a round at a time, beside the looks at posts: a platform may take long to answer.

    A round is due by the wall clock, which may be set or run faster, and one that can't be done is for the next.
    """

    def __init__(self, round_: Callable[[datetime], Awaitable[object]], clock: Callable[[], datetime]) -> None:
        self._round = round_
        self._clock = clock
        self._began_at: datetime | None = None
        self._under_way: asyncio.Task[None] | None = None

    @property
    def is_idle(self) -> bool:
        """Tell whether no round is under way."""
        return self._under_way is None or self._under_way.done()

    def begin_if_due(self) -> None:
        """Begin a round, unless one is under way or was begun lately."""
        now = self._clock()
        is_early = self._began_at is not None and self._began_at <= now < self._began_at + TOKEN_ROUND_EVERY
        if is_early or not self.is_idle:
            return
        self._began_at = now
        self._under_way = asyncio.create_task(self._do(now))

    async def _do(self, now: datetime) -> None:
        try:
            await self._round(now)
        except ThreadsError as error:
            logger.warning("Tokens of accounts are not refreshed for now: %s", error)
        except Exception:
            logger.exception("A round of refreshing tokens ended; posts are watched on, and the next round is tried")

    async def close(self) -> None:
        """Break a round off."""
        if self._under_way is not None:
            self._under_way.cancel()
            await asyncio.gather(self._under_way, return_exceptions=True)


async def serve(run: ServiceRun) -> None:
    """Watch until asked to stop; while Kafka is away it waits.

    Raises:
        SettingsError: there is no Kafka.
        Unavailable: it does not answer at the start.
    """
    settings = run.settings
    cluster = Cluster.of(settings)
    registry = cluster.open_registry()
    async with contextlib.AsyncExitStack() as stack:
        producer = await stack.enter_async_context(EventProducer(cluster, registry))
        states = TopicTail(cluster, registry, {STATES: Beginning(reach=LOOK_BACK)}, PostState)
        stack.push_async_callback(states.close)
        accounts = account_directory(cluster, registry, settings)
        stack.push_async_callback(accounts.close)
        tokens = TokenRounds(lambda now: refresh_due(accounts, producer, now, settings), utc_now)
        stack.push_async_callback(tokens.close)
        watchdog = Watchdog(states, producer, patience_of(settings), utc_now)

        async def look() -> None:
            await watchdog.look()
            await accounts.refresh(max_age_s=ACCOUNTS_MAX_AGE_S)
            tokens.begin_if_due()

        def readings() -> Iterator[Reading]:
            yield from watchdog.readings()
            yield from account_readings(accounts.known(), utc_now())

        await look()
        run.ready(collectors=[_Shown(readings)])
        while not await _stopped(run.stopping, settings.of(PublishingSettings).publish_watch_interval_s):
            try:
                await look()
            except Unavailable as error:
                logger.warning("Posts are not watched for now: %s", error)


async def _stopped(stopping: asyncio.Event, within_s: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await stopping.wait()
    return stopping.is_set()


ROLE = ServiceRole("posts-watchdog", serve)
