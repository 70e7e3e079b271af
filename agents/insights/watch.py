"""A post that is followed, and an account: what is known of them, as the state keeps it, and their records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import NamedTuple

from pydantic import TypeAdapter

from agents.insights.deltas import Known, Moments, Told, deltas, known_after
from agents.insights.links import mark_of
from schemas.records import (
    EngagementEvent,
    EngagementKind,
    InsightsSnapshot,
    LinkClicks,
    PostCommand,
    PostState,
)
from streams.engine.stage import Output
from streams.identity import derived_id

SNAPSHOTS, EVENTS, COMMANDS = "insights.snapshots", "engagement.events", "posts.commands"
GONE = "not on the platform any more"
ALLOCATED = "allocated"  # what the source of follows ends with: no platform tells them


@dataclass(frozen=True, slots=True)
class Watch:
    """A part of a publication that is, or was, published.

    `told` are the totals of the snapshot number `sequence`, `before` what was known before it; both together give its
    records, the same whenever they are made. `stamp` is the checkpoint that first has the snapshot, `gone_stamp` that
    which has the end of a post that the platform has no more. `due_at` None: it is not asked for any more.
    `mark_views` are the views known at the account's snapshot `mark_sequence`, where views came in since.
    """

    publication_id: str
    part: int
    persona_id: str
    platform: str
    account_id: str
    post_id: str
    published_at: datetime
    simulated: bool
    cause: str
    state_sequence: int
    has_link: bool
    due_at: datetime | None
    sequence: int = 0
    polled_at: datetime | None = None
    before_at: datetime | None = None
    told: dict[EngagementKind, int | None] = field(default_factory=dict)
    before: dict[EngagementKind, int] = field(default_factory=dict)
    stamp: int = 0
    gone_at: datetime | None = None
    gone_stamp: int = 0
    mark_sequence: int = 0
    mark_views: int = 0

    @property
    def key(self) -> str:
        """Return what it is known by in its partition."""
        return watch_key(self.publication_id, self.part)

    @property
    def mark(self) -> str:
        """Return what its links bear."""
        return mark_of(self.publication_id)

    @property
    def known(self) -> Known:
        """Return the totals that were told last, each of them."""
        return known_after(self.before, self.told)

    @property
    def views(self) -> int:
        return self.known.get("view", 0)

    def gained_since(self, account_sequence: int) -> int:
        """Return the views that came to be known since that snapshot of the account."""
        return self.views - self.mark_views if self.mark_sequence == account_sequence else 0

    def polled(self, told: Told, now: datetime, due_at: datetime | None, *, stamp: int, account_sequence: int) -> Watch:
        """Return what it is after one more snapshot."""
        is_marked = self.sequence > 0 and self.mark_sequence == account_sequence
        return replace(
            self,
            due_at=due_at,
            sequence=self.sequence + 1,
            polled_at=now,
            before_at=self.polled_at,
            told=dict(told),
            before=dict(self.known),
            stamp=stamp,
            mark_sequence=account_sequence,
            mark_views=self.mark_views if is_marked else self.views,
        )

    def snapshot_outputs(self) -> Iterator[Output]:
        """Yield the records of the last snapshot: itself, and an event for every count that changed."""
        assert self.polled_at is not None, "there is no snapshot yet"
        snapshot_id = derived_id("insights", self.platform, self.post_id, str(self.sequence))
        snapshot = InsightsSnapshot(
            event_id=snapshot_id,
            occurred_at=self.polled_at,
            persona_id=self.persona_id,
            causation_id=self.cause,
            account_id=self.account_id,
            platform=self.platform,
            post_id=self.post_id,
            sequence=self.sequence,
            views=self.told.get("view"),
            likes=self.told.get("like"),
            replies=self.told.get("reply"),
            reposts=self.told.get("repost"),
            quotes=self.told.get("quote"),
            shares=self.told.get("share"),
            source=self.platform,
            simulated=self.simulated,
        )
        yield Output(SNAPSHOTS, snapshot)
        moments = Moments(self.published_at, self.before_at, self.polled_at)
        for delta in deltas(self.before, self.told, moments):
            event = EngagementEvent(
                event_id=derived_id("insights", self.platform, self.post_id, delta.kind, str(self.sequence)),
                occurred_at=delta.at,
                persona_id=self.persona_id,
                causation_id=snapshot_id,
                post_id=self.post_id,
                kind=delta.kind,
                count=delta.count,
                source=self.platform,
                simulated=self.simulated,
                basis=delta.basis,
            )
            yield Output(EVENTS, event)

    def gone_output(self) -> Output:
        """Return the command that has the publisher look at a post that the platform has no more."""
        assert self.gone_at is not None, "it is not gone"
        command = PostCommand(
            event_id=derived_id("insights", self.platform, self.post_id, "gone", str(self.state_sequence)),
            occurred_at=self.gone_at,
            persona_id=self.persona_id,
            causation_id=self.cause,
            kind="heal",
            publication_id=self.publication_id,
            platform=self.platform,
            post_id=self.post_id,
            reason=GONE,
            requested_by="insights",
        )
        return Output(COMMANDS, command)


def watch_key(publication_id: str, part: int) -> str:
    """Return what a part of a publication is known by."""
    return f"{publication_id} {part}"


def watch_of(state: PostState, due_at: datetime | None) -> Watch:
    """Return the watch of a part that was published just now."""
    assert state.post_id is not None, "a published part has a post"
    assert state.account_id is not None, "a published part has an account"
    return Watch(
        publication_id=state.publication_id,
        part=state.part,
        persona_id=state.persona_id,
        platform=state.platform,
        account_id=state.account_id,
        post_id=state.post_id,
        published_at=state.occurred_at,
        simulated=state.simulated,
        cause=state.event_id,
        state_sequence=state.sequence,
        has_link="http://" in state.text or "https://" in state.text,
        due_at=due_at,
    )


class PostCount(NamedTuple):
    """A count of a post that an account's numbers say: clicks of a UTC day, or follows (`day` None)."""

    persona_id: str
    post_id: str
    kind: EngagementKind
    amount: int
    day: date | None = None


DayClicks = Mapping[date, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class AccountWatch:
    """What is known of an account: its followers, and clicks by UTC day and post for the days that still grow.

    Days before `clicks_from` are known no more, and never asked for again: they would count twice.
    `told_*` and `counts` are of the snapshot number `sequence`. `before_followers` is None where they are not known, or
    are for another partition to count; then there is no growth.
    """

    account_id: str
    platform: str
    persona_id: str
    simulated: bool
    sequence: int = 0
    polled_at: datetime | None = None
    followers: int | None = None
    before_followers: int | None = None
    told_followers: int | None = None
    told_links: dict[str, int] | None = None
    counts: tuple[PostCount, ...] = ()
    days: dict[date, dict[str, int]] = field(default_factory=dict)
    clicks_from: date | None = None
    stamp: int = 0

    @property
    def growth(self) -> int:
        """Return by how much the last snapshot's followers differ from those before; 0 where either is unknown."""
        if self.told_followers is None or self.before_followers is None:
            return 0
        return self.told_followers - self.before_followers

    def outputs(self) -> Iterator[Output]:
        """Yield the records of the last snapshot: itself, the account's growth, and what it says of posts."""
        assert self.polled_at is not None, "there is no snapshot yet"
        snapshot_id = derived_id(
            "insights account", self.platform, self.account_id, self.persona_id, str(self.sequence)
        )
        links = self.told_links
        snapshot = InsightsSnapshot(
            event_id=snapshot_id,
            occurred_at=self.polled_at,
            persona_id=self.persona_id,
            account_id=self.account_id,
            platform=self.platform,
            sequence=self.sequence,
            clicks=None if links is None else sum(links.values()),
            followers=self.told_followers,
            links=tuple(LinkClicks(url=url, clicks=count) for url, count in sorted((links or {}).items())),
            source=self.platform,
            simulated=self.simulated,
        )
        yield Output(SNAPSHOTS, snapshot)
        if self.growth:
            yield self._event(snapshot_id, PostCount(self.persona_id, "", "follower_change", self.growth))
        for count in self.counts:
            yield self._event(snapshot_id, count)

    def _event(self, snapshot_id: str, count: PostCount) -> Output:
        assert self.polled_at is not None, "there is no snapshot yet"
        day = "" if count.day is None else count.day.isoformat()
        event = EngagementEvent(
            event_id=derived_id(snapshot_id, count.kind, count.post_id, day),
            occurred_at=self.polled_at if count.day is None else _within(count.day, self.polled_at),
            persona_id=count.persona_id,
            causation_id=snapshot_id,
            post_id=count.post_id or None,
            kind=count.kind,
            count=count.amount,
            source=f"{self.platform}:{ALLOCATED}" if count.kind == "follow" else self.platform,
            simulated=self.simulated,
            basis="correction" if count.kind == "click" and count.amount < 0 else "event",
        )
        return Output(EVENTS, event)


def _within(day: date, moment: datetime) -> datetime:
    """Return a moment, or the last one of a day that is over by then."""
    if moment.date() <= day:
        return moment
    midnight = moment.replace(year=day.year, month=day.month, day=day.day, hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=1, milliseconds=-1)


_WATCH = TypeAdapter(Watch)
_ACCOUNT = TypeAdapter(AccountWatch)
_OF_POST, _OF_ACCOUNT = b"p ", b"a "


def post_state_key(key: str) -> bytes:
    """Return the state key of a watch."""
    return _OF_POST + key.encode()


def kept_watch(watch: Watch) -> tuple[bytes, bytes]:
    """Return a watch as an entry of the state."""
    return post_state_key(watch.key), _WATCH.dump_json(watch, exclude_defaults=True)


def kept_account(account: AccountWatch) -> tuple[bytes, bytes]:
    """Return an account as an entry of the state."""
    return _OF_ACCOUNT + account.account_id.encode(), _ACCOUNT.dump_json(account, exclude_defaults=True)


def restored(state: Sequence[tuple[bytes, bytes]]) -> tuple[list[Watch], list[AccountWatch]]:
    """Return the watches and accounts that a state keeps."""
    watches = [_WATCH.validate_json(value) for key, value in state if key.startswith(_OF_POST)]
    accounts = [_ACCOUNT.validate_json(value) for key, value in state if key.startswith(_OF_ACCOUNT)]
    return watches, accounts
