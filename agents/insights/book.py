"""The book of a partition: the posts and accounts that are followed, and what has to be made durable of it.

State is written before records go out. So each snapshot is kept with what was known before it, and with the number of
the checkpoint that first has it. That number itself is written last. Whoever takes over sends the records of all
snapshots since the checkpoint whose number it finds again, under the same ids: they count once. No older one is sent
again, since a number is only written when all before it is durable; where nothing more comes, the next one is written
alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from agents.insights.allocation import allocated
from agents.insights.deltas import told_by, usable
from agents.insights.intervals import Intervals
from agents.insights.links import mark_in
from agents.insights.watch import (
    AccountWatch,
    DayClicks,
    PostCount,
    Watch,
    kept_account,
    kept_watch,
    post_state_key,
    restored,
    watch_key,
    watch_of,
)
from agents.platforms.contract import PostInsights
from schemas.records import PostState
from streams.engine.stage import Change, Effects, Output

COUNTER = b"checkpoint"
GROWING_DAYS = 2  # clicks of the UTC day before still come in
KEPT_DAYS = 3  # with clicks: what is older is not asked for again


@dataclass(frozen=True, slots=True)
class AccountReading:
    """What an account was asked: followers (None: not told), and clicks by UTC day and address (None: not told)."""

    followers: int | None
    clicks: DayClicks | None


@dataclass(slots=True)
class _OfAccount:
    """The keys of the posts of an account, and by the mark of their links."""

    posts: set[str] = field(default_factory=set)
    by_mark: dict[str, set[str]] = field(default_factory=dict)


class Book:
    """Posts and accounts of one partition; pure but for the times that it is told.

    A post or account that was polled is not polled again before `durable`: the state keeps one snapshot of each.
    """

    def __init__(self, state: Iterable[tuple[bytes, bytes]], intervals: Intervals, click_days: int = 40) -> None:
        entries = list(state)
        watches, accounts = restored(entries)
        self._intervals = intervals
        self._click_days = click_days
        self._watches = {watch.key: watch for watch in watches}
        self._accounts = {account.account_id: account for account in accounts}
        self._of_account: dict[str, _OfAccount] = {}
        self._counter = int(dict(entries).get(COUNTER, b"0"))
        self._changed: set[str] = set()
        self._changed_accounts: set[str] = set()
        self._dropped: set[str] = set()
        self._fresh: set[str] = set()  # polled since the last flush, or flushed and not yet durable
        self._outputs: list[Output] = []
        self._is_settled = True  # what is durable for sure is not sent again
        for watch in watches:
            self._index(watch)
        self._send_again()

    def _send_again(self) -> None:
        """Bring what may have been lost behind its state on its way again."""
        for account in list(self._accounts.values()):
            if account.stamp >= max(self._counter, 1):
                self._put_account(replace(account, stamp=self._next))
        for watch in list(self._watches.values()):
            if watch.stamp >= max(self._counter, 1):
                self._put_snapshot(replace(watch, stamp=self._next))
            if watch.gone_stamp >= max(self._counter, 1):
                self._put_gone(replace(self._watches[watch.key], gone_stamp=self._next))

    @property
    def _next(self) -> int:
        return self._counter + 1

    # posts

    def take(self, state: PostState, now: datetime) -> Watch | None:
        """Take over the state of a part; return the watch where it is to be followed from now on."""
        key = watch_key(state.publication_id, state.part)
        known = self._watches.get(key)
        if known is not None and state.sequence <= known.state_sequence:
            return None
        if state.state == "deleted":
            if known is not None:
                self._put(replace(known, state_sequence=state.sequence, due_at=None))
            return None
        if state.state != "published" or not state.post_id or not state.account_id:
            return None
        if known is not None and known.post_id == state.post_id:
            return self._told_again(known, state.sequence, now)
        if now - state.occurred_at > self._intervals.until:
            return None  # an old log that is read again
        if known is not None:
            self._unindex(known)
        watch = watch_of(state, self._intervals.first(state.occurred_at))
        self._put(watch)
        self._index(watch)
        return watch

    def _told_again(self, known: Watch, sequence: int, now: datetime) -> Watch | None:
        """Take note that a post is still published; one that was given up is followed again, and returned."""
        if known.gone_at is None:
            self._put(replace(known, state_sequence=sequence))
            return None
        back = replace(known, state_sequence=sequence, gone_at=None, gone_stamp=0)
        back = replace(back, due_at=self._intervals.next(known.published_at, now))
        self._put(back)
        return back

    def find(self, key: str) -> Watch | None:
        """Return a watch; None where there is none, or no more."""
        return self._watches.get(key)

    def followed(self) -> Iterator[Watch]:
        """Yield the watches that are asked for."""
        return (watch for watch in self._watches.values() if watch.due_at is not None)

    def polled(self, key: str, insights: PostInsights, now: datetime) -> int:
        """Take over the totals of a post as of now; return the views that came to be known."""
        before = self._watches[key]
        account = self._accounts.get(before.account_id)
        watch = before.polled(
            told_by(insights),
            now,
            self._intervals.next(before.published_at, now) if before.due_at is not None else None,
            stamp=self._next,
            account_sequence=account.sequence if account else 0,
        )
        self._put_snapshot(watch)
        return watch.views - before.views

    def gone(self, key: str, now: datetime) -> None:
        """End a watch: the platform has the post no more."""
        self._put_gone(replace(self._watches[key], due_at=None, gone_at=now, gone_stamp=self._next))

    def _put_snapshot(self, watch: Watch) -> None:
        self._put(watch)
        self._fresh.add(watch.key)
        self._outputs += watch.snapshot_outputs()

    def _put_gone(self, watch: Watch) -> None:
        self._put(watch)
        self._outputs.append(watch.gone_output())

    def _put(self, watch: Watch) -> None:
        self._watches[watch.key] = watch
        self._changed.add(watch.key)

    def _index(self, watch: Watch) -> None:
        of = self._of_account.setdefault(watch.account_id, _OfAccount())
        of.posts.add(watch.key)
        of.by_mark.setdefault(watch.mark, set()).add(watch.key)

    def _unindex(self, watch: Watch) -> None:
        of = self._of_account[watch.account_id]
        of.posts.discard(watch.key)
        of.by_mark[watch.mark].discard(watch.key)
        if not of.by_mark[watch.mark]:
            del of.by_mark[watch.mark]

    def forget_old(self, now: datetime) -> None:
        """Let go of posts that are past the age at which they are asked for the last time."""
        for watch in list(self._watches.values()):
            is_over = now - watch.published_at > self._intervals.until + timedelta(days=1)
            if watch.due_at is None and is_over and watch.key not in self._changed | self._fresh:
                del self._watches[watch.key]
                self._unindex(watch)
                self._dropped.add(watch.key)

    # accounts

    def account_ids(self) -> set[str]:
        """Return the accounts of the posts that are followed."""
        return {watch.account_id for watch in self.followed()}

    def personas_of(self, account_id: str) -> set[str]:
        """Return the personas whose posts of the account are here."""
        return {watch.persona_id for watch in self._posts_of(account_id)}

    def account_polled_at(self, account_id: str) -> datetime | None:
        """Return when the account was asked for last; None where it never was."""
        account = self._accounts.get(account_id)
        return account.polled_at if account else None

    def days_to_ask(self, account_id: str, now: datetime) -> list[date]:
        """Return the UTC days whose clicks may have grown since they were asked for, the oldest first."""
        account, posts = self._accounts.get(account_id), self._posts_of(account_id)
        since = self.account_polled_at(account_id) or min((each.published_at for each in posts), default=now)
        first = min(since.date(), now.date()) - timedelta(days=GROWING_DAYS - 1)
        first = max(first, now.date() - timedelta(days=self._click_days - 1))
        if account is not None and account.clicks_from is not None:
            first = max(first, account.clicks_from)
        return [first + timedelta(days=number) for number in range((now.date() - first).days + 1)]

    def account_polled(self, account_id: str, owner: str, reading: AccountReading, now: datetime) -> None:
        """Take over the numbers of an account as of now; `owner` is the persona whom its growth is booked to.

        Growth is allocated to its posts here, and clicks are theirs by the marks of their links. Where the owner has no
        posts here, another partition counts the growth.
        """
        posts = self._posts_of(account_id)
        assert posts, "an account is asked for while it has posts here"
        personas = self.personas_of(account_id)
        persona_id = owner if owner in personas else min(personas)
        before = self._accounts.get(account_id) or AccountWatch(
            account_id, posts[0].platform, persona_id, posts[0].simulated
        )
        followers = usable(reading.followers) if owner in personas else None
        known = before.followers if owner in personas else None
        grown = replace(
            before,
            persona_id=persona_id,
            sequence=before.sequence + 1,
            polled_at=now,
            before_followers=known,
            told_followers=followers,
            followers=known if followers is None else followers,
            told_links=None if reading.clicks is None else dict(reading.clicks.get(now.date(), {})),
            stamp=self._next,
        )
        follows = self._follows(grown.growth, posts, before.sequence)
        clicks, days = self._clicks(account_id, before.days, reading.clicks or {})
        kept = sorted(days)[-KEPT_DAYS:]
        grown = replace(
            grown,
            counts=(*follows, *clicks),
            days={day: days[day] for day in kept},
            clicks_from=max(sorted(days)[: -len(kept)]) + timedelta(days=1)
            if len(days) > len(kept)
            else before.clicks_from,
        )
        self._put_account(grown)

    def _posts_of(self, account_id: str) -> list[Watch]:
        of = self._of_account.get(account_id, _OfAccount())
        return [self._watches[key] for key in sorted(of.posts)]

    def _follows(self, growth: int, posts: Collection[Watch], since: int) -> Iterator[PostCount]:
        gained = {watch.key: watch.gained_since(since) for watch in posts}
        for key, count in sorted(allocated(growth, gained).items()):
            watch = self._watches[key]
            yield PostCount(watch.persona_id, watch.post_id, "follow", count)

    def _clicks(
        self, account_id: str, known: DayClicks, told: DayClicks
    ) -> tuple[list[PostCount], dict[date, dict[str, int]]]:
        """Return what clicks by day add to posts, and what is known of the days then.

        Addresses of no post stay unknown: a post that is told of later has its clicks still.
        """
        days = {day: dict(by_post) for day, by_post in known.items()}
        counts = []
        for day, by_url in sorted(told.items()):
            by_post = self._by_post(account_id, by_url)
            of_day = days.setdefault(day, {})
            for key in sorted(by_post.keys() | of_day.keys()):
                watch, count = self._watches.get(key), by_post.get(key, 0) - of_day.get(key, 0)
                if watch is not None and count:
                    counts.append(PostCount(watch.persona_id, watch.post_id, "click", count, day))
                    of_day[key] = by_post.get(key, 0)
            if not of_day:
                del days[day]
        return counts, days

    def _by_post(self, account_id: str, by_url: Mapping[str, int]) -> dict[str, int]:
        by_mark = self._of_account.get(account_id, _OfAccount()).by_mark
        found: dict[str, int] = {}
        for url, clicks in by_url.items():
            keys = by_mark.get(mark_in(url) or "", ())
            if keys and usable(clicks):
                key = min(keys, key=lambda key: (not self._watches[key].has_link, self._watches[key].part))
                found[key] = found.get(key, 0) + clicks
        return found

    def _put_account(self, account: AccountWatch) -> None:
        self._accounts[account.account_id] = account
        self._changed_accounts.add(account.account_id)
        self._fresh.add(account_key(account.account_id))
        self._outputs += account.outputs()

    # checkpoints

    @property
    def has_effects(self) -> bool:
        """Tell whether there is something to make durable."""
        has_changes = self._changed or self._changed_accounts or self._dropped
        return bool(self._outputs or has_changes or not self._is_settled)

    def is_fresh(self, key: str) -> bool:
        """Tell whether the last snapshot of a post, or of `account_key`, is not durable yet."""
        return key in self._fresh

    def flush(self) -> Effects:
        """Return what is new: accounts before posts, since posts refer to snapshots of them, and the counter last."""
        changes: list[Change] = [kept_account(self._accounts[each]) for each in sorted(self._changed_accounts)]
        changes += [kept_watch(self._watches[key]) for key in sorted(self._changed)]
        changes += [(post_state_key(key), None) for key in sorted(self._dropped)]
        outputs, self._outputs = self._outputs, []
        if outputs or not self._is_settled:
            self._counter += 1
            changes.append((COUNTER, str(self._counter).encode()))
        self._is_settled = not outputs
        self._changed, self._changed_accounts, self._dropped = set(), set(), set()
        return Effects(changes=changes, outputs=[*outputs])

    def accounts_among(self, keys: Collection[str]) -> list[str]:
        """Return the accounts whose `account_key` is among the keys."""
        return [account_id for account_id in sorted(self._accounts) if account_key(account_id) in keys]

    def durable(self) -> list[str]:
        """Note that the last flush is durable; return the keys whose snapshots were in it."""
        done, self._fresh = sorted(self._fresh), set()
        return done


def account_key(account_id: str) -> str:
    """Return what an account is known by beside the posts of its partition."""
    return f"account {account_id}"
