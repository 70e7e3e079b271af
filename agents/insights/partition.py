"""The posts of one partition: when each is asked for, and what of it waits for the next checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agents.insights.book import AccountReading, Book, account_key
from agents.insights.intervals import Intervals
from agents.insights.watch import Watch, watch_key
from agents.platforms.contract import PostInsights
from schemas.records import PostState
from streams.engine.batch import RowBatch, TopicPartition
from streams.engine.lanes import Lanes
from streams.engine.stage import Effects, LongPart, Rejection

FORGET_EVERY = timedelta(hours=1)


@dataclass(slots=True, eq=False)
class Pending:
    """A poll that waits for its time: of the post `key` of an account, or of the account itself (`key` None).

    `wanted_at` is when it was due before anything held it up. `missing` counts how often the platform said that the
    post is not there; void where it is not wanted any more.
    """

    part: PartInsights
    account_id: str
    key: str | None
    due_at: datetime
    wanted_at: datetime = field(init=False)
    missing: int = 0
    is_void: bool = False

    def __post_init__(self) -> None:
        self.wanted_at = self.due_at

    @property
    def lane(self) -> str:
        return self.account_id

    @property
    def name(self) -> str:
        """Return what it is known by in its partition."""
        return account_key(self.account_id) if self.key is None else self.key


@dataclass(frozen=True, slots=True)
class InsightsContext:
    """What all partitions share."""

    lanes: Lanes[Pending]
    intervals: Intervals
    account_every: timedelta
    click_days: int
    clock: Callable[[], datetime]
    on_leave: Callable[[TopicPartition], object] = field(repr=False)


class PartInsights(LongPart[RowBatch[PostState]]):
    """The polls of one partition's posts and accounts, and their effects since the last flush.

    No offset waits for a poll: which posts there are is in the state. What was polled is polled again only when its
    snapshot is durable.
    """

    def __init__(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]], context: InsightsContext) -> None:
        self.source = source
        self.book = Book(state, context.intervals, context.click_days)
        self._context = context
        self._pending: dict[str, Pending] = {}
        self._forgot_at = context.clock()
        for watch in list(self.book.followed()):
            self._schedule_post(watch)
        for account_id in sorted(self.book.account_ids()):
            self._schedule_account(account_id)

    async def add(self, batch: RowBatch[PostState]) -> Sequence[Rejection]:
        """Follow what was published, and what was deleted no more; refuses nothing."""
        now = self._context.clock()
        for row in batch.rows:
            self.take(row.record, now)
        return ()

    def take(self, state: PostState, now: datetime) -> None:
        """Take over the state of a part of a publication."""
        taken = self.book.take(state, now)
        watch = taken or self.book.find(watch_key(state.publication_id, state.part))
        if watch is not None and (taken is not None or watch.due_at is None):
            self._end(self._pending.get(watch.key))
        if taken is not None and taken.due_at is not None:
            self._schedule_post(taken)
            self._schedule_account(taken.account_id)

    def _schedule_post(self, watch: Watch) -> None:
        if watch.due_at is not None and not self.book.is_fresh(watch.key):
            latest = self._context.clock() + self._context.intervals.most  # a clock that was ahead may be set back
            self._put(Pending(self, watch.account_id, watch.key, min(watch.due_at, latest)))

    def _schedule_account(self, account_id: str) -> None:
        name = account_key(account_id)
        if name not in self._pending and not self.book.is_fresh(name):
            polled_at = self.book.account_polled_at(account_id)
            now, every = self._context.clock(), self._context.account_every
            self._put(Pending(self, account_id, None, now if polled_at is None else min(polled_at, now) + every))

    def clock_went_back(self) -> None:
        """Bring forward what is due later than it can be by the clock as it is now."""
        latest = self._context.clock() + max(self._context.intervals.most, self._context.account_every)
        for pending in [each for each in self._pending.values() if each.due_at > latest]:
            self._end(pending)
            self._put(Pending(self, pending.account_id, pending.key, latest))

    def _put(self, pending: Pending) -> None:
        self._pending[pending.name] = pending
        self._context.lanes.put(pending)

    def _end(self, pending: Pending | None) -> None:
        if pending is not None:
            pending.is_void = True
            if self._pending.get(pending.name) is pending:
                del self._pending[pending.name]

    # what comes of polls

    def put_off(self, pending: Pending, at: datetime) -> None:
        """Poll later."""
        pending.due_at = at
        self._context.lanes.put(pending)

    def polled(self, pending: Pending, insights: PostInsights, now: datetime) -> int:
        """Take over the totals of a post; return the views that came to be known."""
        assert pending.key is not None, "an account has no totals of a post"
        self._end(pending)
        return self.book.polled(pending.key, insights, now)

    def gone(self, pending: Pending, now: datetime) -> None:
        """Take note that the platform has the post no more."""
        assert pending.key is not None, "an account is not a post"
        self._end(pending)
        self.book.gone(pending.key, now)

    def account_polled(self, pending: Pending, owner: str, reading: AccountReading, now: datetime) -> None:
        """Take over the numbers of an account."""
        self._end(pending)
        self.book.account_polled(pending.account_id, owner, reading, now)

    def drop(self, pending: Pending) -> None:
        """Ask no more for a post that is not followed, or an account that has none that is."""
        self._end(pending)

    # checkpoints

    @property
    def has_effects(self) -> bool:
        """Tell whether there is something to make durable."""
        return self.book.has_effects

    def flush(self) -> Effects:
        now = self._context.clock()
        if abs(now - self._forgot_at) >= FORGET_EVERY:
            self._forgot_at = now
            self.book.forget_old(now)
        return self.book.flush()

    def durable(self) -> None:
        """Let what was polled wait for its next time."""
        keys = self.book.durable()
        for key in keys:
            watch = self.book.find(key)
            if watch is not None:
                self._schedule_post(watch)
        for account_id in self.book.accounts_among(keys):
            self._schedule_account(account_id)

    def unfinished(self) -> int | None:
        return None

    def pending(self) -> Iterator[Pending]:
        """Yield the polls that wait or are under way."""
        yield from self._pending.values()

    async def leave(self) -> None:
        """Give the partition up: its next owner goes on with what is kept."""
        for pending in list(self._pending.values()):
            self._end(pending)
        self._context.on_leave(self.source)
