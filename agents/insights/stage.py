"""The insights stage: posts that are published -> their platform, again and again -> snapshots and engagement."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import ClassVar

from agents.accounts.directory import AccountDirectory, NoAccount
from agents.insights.book import COUNTER, AccountReading
from agents.insights.budget import CallBudget
from agents.insights.gate import AccountGate, Patience
from agents.insights.intervals import Intervals
from agents.insights.metrics import (
    INSIGHTS_BUDGET_LEFT,
    INSIGHTS_FAILURES,
    INSIGHTS_OVERDUE,
    INSIGHTS_PAUSED,
    INSIGHTS_POLLS,
    INSIGHTS_POSTS,
)
from agents.insights.partition import InsightsContext, PartInsights, Pending
from agents.insights.settings import InsightsSettings
from agents.platforms.contract import (
    Account,
    NotThere,
    PermissionMissing,
    Platform,
    PlatformError,
    Refused,
    Restricted,
    Throttled,
    TokenRejected,
)
from schemas.records import PlatformAccount
from streams.engine.batch import TopicPartition
from streams.engine.lanes import Lanes
from streams.engine.readings import Reading
from streams.engine.stage import Effects, LongStage
from streams.errors import Unavailable
from streams.settings import Settings
from streams.wall_clock import utc_now

logger = logging.getLogger(__name__)

LOOK_AT_ACCOUNTS_EVERY_S = 5.0
LOOK_EVERY_S = 1.0  # at the clock, which may run fast or be set
PUT_OFF = timedelta(seconds=5)
SET_BACK = timedelta(minutes=1)  # of a clock; less is no matter
CALLS_A_DAY_ASKED = 2  # that the client of an account's numbers makes for a day: followers and clicks
MISSING_IS_GONE = 2  # a post that was made just now may not be there yet
REFUSALS: Mapping[type[PlatformError], str] = {
    TokenRejected: "token_rejected",
    Restricted: "restricted",
    PermissionMissing: "permission_missing",
}


class InsightsStage(LongStage[PartInsights]):
    """Ask platforms for the numbers of posts and accounts, and tell what changed.

    Reads: posts.states; besides, the accounts in force.
    Writes: insights.snapshots, engagement.events, and posts.commands for a post that is gone.
    Decides: `Intervals` when a post is asked for, `deltas` what totals add, `allocated` which follows are whose,
    `CallBudget` and `AccountGate` whether an account may be asked with.
    State: `watch.py`, by publication and by account; `book.py` says how it stays exact.
    """

    name: ClassVar[str] = "insights"
    topics: ClassVar[tuple[str, ...]] = ("posts.states",)
    stateful: ClassVar[bool] = True

    def __init__(
        self,
        settings: Settings,
        directory: AccountDirectory,
        platforms: Callable[[], Mapping[str, Platform]],
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Take the accounts, and what makes the clients of platforms: it is called by `open`."""
        wanted = settings.of(InsightsSettings)
        self._wanted = wanted
        self._directory = directory
        self._open_platforms = platforms
        self._platforms: Mapping[str, Platform] = {}
        self._clock = clock
        self._random = random.Random()  # noqa: S311 - jitter, not a secret
        self._patience = Patience.of(wanted)
        self._gates: dict[str, AccountGate] = {}
        self._budgets: dict[str, CallBudget] = {}
        self._slots = asyncio.Semaphore(wanted.insights_concurrency)
        self._polls: Counter[tuple[str, str]] = Counter()
        self._failures: Counter[tuple[str, str]] = Counter()
        self._latest = clock()
        self._parts: dict[TopicPartition, PartInsights] = {}
        self._lanes: Lanes[Pending] = Lanes(
            self._poll, clock, at_once=wanted.insights_at_once, look_every_s=LOOK_EVERY_S
        )
        self._context = InsightsContext(
            self._lanes,
            Intervals.of(wanted),
            timedelta(seconds=wanted.insights_account_every_s),
            wanted.insights_click_days,
            clock,
            self._parts.pop,
        )

    async def open(self) -> None:
        self._platforms = self._open_platforms()

    def owner_of(self, key: bytes, value: bytes) -> str | None:
        """Return the persona of what is known of a post or an account; the number of the checkpoint is nobody's."""
        return None if key == COUNTER else str(json.loads(value)["persona_id"])

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> PartInsights:
        part = PartInsights(source, state, self._context)
        self._parts[source] = part
        return part

    async def room(self) -> None:
        await self._lanes.until_open()

    # polls

    async def _poll(self, pending: Pending) -> None:
        """Ask for a post or an account, where its account may be asked with now."""
        try:
            await self._directory.refresh(max_age_s=LOOK_AT_ACCOUNTS_EVERY_S)
        except Unavailable as error:
            logger.warning("Insights wait; nothing is lost: %s", error)
            self._put_off(pending, self._clock() + PUT_OFF)
            return
        if pending.is_void:
            return
        gate = self._gate(pending.account_id)
        record = self._directory.find(pending.account_id)
        version = record.event_id if record else None
        again_at = gate.enter(self._clock(), version)
        if again_at is not None:
            self._put_off(pending, again_at)
            return
        try:
            await self._poll_with(pending, gate, record)
        except NoAccount as error:
            self._failed(pending, "no_account", gate.refused(self._clock(), "no_account", str(error), version))
        except PlatformError as error:
            self._judge(pending, gate, error, version)
        finally:
            gate.left()

    async def _poll_with(self, pending: Pending, gate: AccountGate, record: PlatformAccount | None) -> None:
        account = self._directory.account(pending.account_id)
        platform = self._platforms.get(account.platform)
        if platform is None:
            raise NoAccount(
                f"account {account.account_id} is on {account.platform!r}, which this worker has no client of"
            )
        if pending.key is not None:
            await self._poll_post(pending, gate, platform, account)
        else:
            await self._poll_account(pending, gate, platform, account, record)

    async def _poll_post(self, pending: Pending, gate: AccountGate, platform: Platform, account: Account) -> None:
        watch = pending.part.book.find(pending.key or "")
        if watch is None or watch.due_at is None:
            pending.part.drop(pending)
            return
        if not self._may_call(pending, 1):
            return
        async with self._slots:
            insights = await platform.post_insights(account, watch.post_id)
        gate.succeeded()
        self._polls[account.platform, "post"] += 1
        if not pending.is_void:
            now = self._clock()
            self._budget(account.account_id).saw(pending.part.polled(pending, insights, now), now)

    async def _poll_account(
        self,
        pending: Pending,
        gate: AccountGate,
        platform: Platform,
        account: Account,
        record: PlatformAccount | None,
    ) -> None:
        book, now = pending.part.book, self._clock()
        if pending.account_id not in book.account_ids():
            pending.part.drop(pending)
            return
        days = book.days_to_ask(pending.account_id, now) if platform.capabilities.has_clicks else [now.date()]
        if not self._may_call(pending, CALLS_A_DAY_ASKED * max(len(days), 1)):
            return
        followers, clicks = None, dict[date, Mapping[str, int]]()
        asked: list[date | None] = [*days] or [None]  # without a day: the followers alone
        for day in asked:
            start = now if day is None else datetime.combine(day, time(), UTC)
            async with self._slots:
                found = await platform.account_insights(account, start, min(start + timedelta(days=1), now))
            followers = found.followers
            if day is not None:
                clicks[day] = found.clicks
        gate.succeeded()
        self._polls[account.platform, "account"] += 1
        if not pending.is_void:
            owner = (
                record.persona_ids[0] if record and record.persona_ids else min(book.personas_of(account.account_id))
            )
            reading = AccountReading(followers, clicks if platform.capabilities.has_clicks else None)
            pending.part.account_polled(pending, owner, reading, now)

    def _may_call(self, pending: Pending, calls: int) -> bool:
        """Take calls of the account's budget, or put the poll off until there are so many."""
        again_at = self._budget(pending.account_id).take(self._clock(), calls)
        if again_at is not None:
            self._put_off(pending, again_at + timedelta(seconds=self._random.random()))
        return again_at is None

    def _judge(self, pending: Pending, gate: AccountGate, error: PlatformError, version: str | None) -> None:
        """Decide what follows from a fault: the account waits or is paused, or the post is gone."""
        now = self._clock()
        reason = REFUSALS.get(type(error))
        if reason is not None:
            self._failed(pending, reason, gate.refused(now, reason, str(error), version))
        elif isinstance(error, NotThere):
            self._missing(pending, gate, error, version, now)
        elif isinstance(error, Refused):
            gate.succeeded()  # the platform answered, and others may be asked for
            logger.warning("The numbers of %s are refused, it is asked for later: %s", pending.name, error)
            self._failed(pending, "refused", now + self._patience.pause)
        else:
            retry_after_s = error.retry_after_s if isinstance(error, Throttled) else None
            kind = "throttled" if isinstance(error, Throttled) else "away"
            self._failed(pending, kind, gate.failed(now, str(error), retry_after_s))

    def _missing(
        self, pending: Pending, gate: AccountGate, error: NotThere, version: str | None, now: datetime
    ) -> None:
        if pending.key is None:
            self._failed(pending, "not_there", gate.refused(now, "not_there", str(error), version))
            return
        gate.succeeded()
        pending.missing += 1
        if pending.missing < MISSING_IS_GONE:
            self._failed(pending, "not_there", now + self._context.intervals.least)
            return
        self._failures[self._platform_of(pending), "not_there"] += 1
        if not pending.is_void:
            logger.warning("The post of %s is not followed any more: %s", pending.key, error)
            pending.part.gone(pending, now)

    def _failed(self, pending: Pending, reason: str, again_at: datetime) -> None:
        self._failures[self._platform_of(pending), reason] += 1
        self._put_off(pending, again_at)

    def _platform_of(self, pending: Pending) -> str:
        record = self._directory.find(pending.account_id)
        return record.platform if record else "unknown"

    def _put_off(self, pending: Pending, at: datetime) -> None:
        if not pending.is_void:
            pending.part.put_off(pending, at)

    def _gate(self, account_id: str) -> AccountGate:
        if account_id not in self._gates:
            self._gates[account_id] = AccountGate(account_id, self._patience, self._random.random)
        return self._gates[account_id]

    def _budget(self, account_id: str) -> CallBudget:
        if account_id not in self._budgets:
            self._budgets[account_id] = CallBudget(self._wanted.insights_budget_share, self._clock())
        return self._budgets[account_id]

    # checkpoints

    def idle_flush_due(self, parts: Collection[PartInsights]) -> bool:
        """Tell whether something came of a poll."""
        self._follow_clock()
        return self._lanes.is_broken or any(part.has_effects for part in parts)

    def _follow_clock(self) -> None:
        """Take note where the clock was set back: what is due by the old one would wait for too long."""
        now = self._clock()
        if now < self._latest - SET_BACK:
            logger.warning("The clock went back by %.0f s; polls follow it", (self._latest - now).total_seconds())
            for part in self._parts.values():
                part.clock_went_back()
            self._latest = now
        self._latest = max(self._latest, now)

    async def flush(self, parts: Mapping[TopicPartition, PartInsights]) -> Mapping[TopicPartition, Effects]:
        """Return what came about; what ends the worker is raised when all that came before it is durable."""
        if self._lanes.is_broken and not any(part.has_effects for part in parts.values()):
            self._lanes.check()
        return await super().flush(parts)

    def readings(self) -> Iterable[Reading]:
        """Return what was polled, what failed, what waits, and what the accounts may do still."""
        now = self._clock()
        for (platform, of), count in sorted(self._polls.items()):
            yield Reading(INSIGHTS_POLLS, (platform, of), count)
        for (platform, reason), count in sorted(self._failures.items()):
            yield Reading(INSIGHTS_FAILURES, (platform, reason), count)
        parts = list(self._parts.values())
        yield Reading(INSIGHTS_POSTS, (), sum(1 for part in parts for _ in part.book.followed()))
        paused_ids = {account_id for account_id, gate in self._gates.items() if gate.reason is not None}
        waiting = (pending for part in parts for pending in part.pending() if pending.account_id not in paused_ids)
        wanted = min((pending.wanted_at for pending in waiting), default=now)
        yield Reading(INSIGHTS_OVERDUE, (), max((now - wanted).total_seconds(), 0.0))
        paused = Counter(self._gates[account_id].reason for account_id in paused_ids)
        for reason in (*REFUSALS.values(), "no_account", "not_there"):
            yield Reading(INSIGHTS_PAUSED, (reason,), paused[reason])
        fresh = CallBudget(self._wanted.insights_budget_share, now)
        left = min((budget.left for budget in self._budgets.values()), default=fresh.left)
        yield Reading(INSIGHTS_BUDGET_LEFT, (), left)

    async def drain(self, within_s: float) -> bool:
        """Begin no poll, and take the answers of those under way."""
        await self._lanes.drain(within_s)
        return any(part.has_effects for part in self._parts.values()) and not self._lanes.is_broken

    def resume(self) -> None:
        self._lanes.resume()

    async def close(self) -> None:
        for part in list(self._parts.values()):
            await part.leave()
        await self._lanes.close()
        for platform in self._platforms.values():
            await platform.close()
        await self._directory.close()
