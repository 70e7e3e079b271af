"""Whatever happens to a worker at any moment, what the events of a post add up to is its last total, each once."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from agents.insights.book import AccountReading, Book
from agents.insights.intervals import Intervals
from agents.insights.links import tracked
from agents.insights.settings import InsightsSettings
from agents.platforms.contract import PostInsights
from schemas.records import EngagementEvent, InsightsSnapshot, PostCommand, PostState, PublicationState
from streams.engine.stage import Output

START = datetime(2026, 11, 27, 23, 30, tzinfo=UTC)
RULE = Intervals.of(InsightsSettings())
POSTS = ("p1", "p2", "p3")
ACCOUNT = "account-1"


def state_of(
    publication_id: str,
    *,
    state: PublicationState = "published",
    sequence: int = 5,
    persona_id: str = "ada",
    at: datetime = START,
    part: int = 0,
    text: str = "text",
) -> PostState:
    """Return the state of a publication with the account that all have here."""
    return PostState(
        event_id=f"{publication_id}-{part}-{sequence}",
        occurred_at=at,
        persona_id=persona_id,
        publication_id=publication_id,
        part=part,
        sequence=sequence,
        state=state,
        platform="threads",
        account_id=ACCOUNT,
        text=text,
        content_digest="0" * 64,
        post_id=f"post-{publication_id}-{part}",
        simulated=True,
    )


@dataclass
class Log:
    """What is durable: the state, and the records, of which each id counts once."""

    state: dict[bytes, bytes] = field(default_factory=dict)
    records: dict[str, Any] = field(default_factory=dict)

    def write(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self.state.pop(key, None)
        else:
            self.state[key] = value

    def append(self, output: object) -> None:
        assert isinstance(output, Output)
        record: Any = output.record
        known = self.records.setdefault(record.event_id, record)
        assert known == record, "one id, two records"

    def checkpoint(self, book: Book, *, writes: int | None = None, appends: int | None = None) -> bool:
        """Make a flush durable, or only its first writes and records; tell whether that is all."""
        effects = book.flush()
        for key, value in effects.changes[:writes]:
            self.write(key, value)
        if writes is not None and writes < len(effects.changes):
            return False
        for output in effects.outputs[:appends]:
            self.append(output)
        if appends is not None and appends < len(effects.outputs):
            return False
        book.durable()
        return True

    def book(self) -> Book:
        return Book(list(self.state.items()), RULE)

    def of(self, kind: type) -> list[Any]:
        return [each for each in self.records.values() if isinstance(each, kind)]

    def sums(self) -> dict[tuple[str | None, str], int]:
        found: dict[tuple[str | None, str], int] = defaultdict(int)
        for event in self.of(EngagementEvent):
            found[event.post_id, event.kind] += event.count
        return {key: total for key, total in found.items() if total}


class Crashes(RuleBasedStateMachine):
    """A book, a platform whose numbers move up and down, and crashes between any two writes.

    At the end everything is asked for once more: what was told must be what the platform has.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log = Log()
        self.book = self.log.book()
        self.now = START
        self.views: dict[str, int] = dict.fromkeys(POSTS, 0)
        self.likes: dict[str, int] = dict.fromkeys(POSTS, 0)
        self.clicks: dict[date, dict[str, int]] = defaultdict(lambda: dict.fromkeys(POSTS, 0))
        self.hand_over()

    def hand_over(self) -> None:
        """Take over the states of all posts, whose offsets may be read again."""
        for post in POSTS:
            self.book.take(state_of(post), self.now)

    @rule(
        post=st.sampled_from(POSTS),
        seconds=st.integers(1, 5_000),
        views=st.integers(-3, 9),
        likes=st.none() | st.integers(0, 5),
    )
    def poll(self, post: str, seconds: int, views: int, likes: int | None) -> None:
        self.now += timedelta(seconds=seconds)
        self.views[post] = max(self.views[post] + views, 0)
        if not self.book.is_fresh(f"{post} 0"):
            self.likes[post] = self.likes[post] if likes is None else likes
            self.book.polled(f"{post} 0", PostInsights(views=self.views[post], likes=likes), self.now)

    @rule(post=st.sampled_from(POSTS), clicks=st.integers(0, 5), followers=st.none() | st.integers(50, 150))
    def poll_account(self, post: str, clicks: int, followers: int | None) -> None:
        self.clicks[self.now.date()][post] += clicks
        if not self.book.is_fresh(f"account {ACCOUNT}"):
            told = {
                day: {tracked("https://shop.example/", each): count for each, count in self.clicks[day].items()}
                for day in self.book.days_to_ask(ACCOUNT, self.now)
            }
            self.book.account_polled(ACCOUNT, "ada", AccountReading(followers, told), self.now)

    @rule()
    def checkpoint(self) -> None:
        assert self.log.checkpoint(self.book)

    @rule(writes=st.integers(0, 6))
    def crash_among_the_states(self, writes: int) -> None:
        self.log.checkpoint(self.book, writes=writes, appends=0)
        self.book = self.log.book()
        self.hand_over()

    @rule(appends=st.integers(0, 6))
    def crash_among_the_records(self, appends: int) -> None:
        self.log.checkpoint(self.book, appends=appends)
        self.book = self.log.book()
        self.hand_over()

    def teardown(self) -> None:
        self.checkpoint()
        for post in POSTS:
            self.book.polled(f"{post} 0", PostInsights(views=self.views[post], likes=self.likes[post]), self.now)
        self.poll_account(POSTS[0], 0, None)
        self.checkpoint()
        sums = self.log.sums()
        for post in POSTS:
            post_id = f"post-{post}-0"
            assert sums.get((post_id, "view"), 0) == self.views[post]
            assert sums.get((post_id, "like"), 0) == self.likes[post]
            assert sums.get((post_id, "click"), 0) == sum(of_day[post] for of_day in self.clicks.values())
        self.check_growth()
        assert not self.settled().has_effects

    def settled(self) -> Book:
        """Return the book of whoever takes over when nothing is under way."""
        self.checkpoint()
        return self.log.book()

    def check_growth(self) -> None:
        """Check that growth is what the snapshots say, and that none allocated more than that, by its label."""
        snapshots = [each for each in self.log.of(InsightsSnapshot) if each.post_id is None]
        told = [each.followers for each in sorted(snapshots, key=lambda each: each.sequence) if each.followers]
        follows: dict[str | None, int] = defaultdict(int)
        growth: dict[str | None, int] = defaultdict(int)
        for event in self.log.of(EngagementEvent):
            if event.kind == "follow":
                assert event.source == "threads:allocated"
                assert event.count > 0
                follows[event.causation_id] += event.count
            elif event.kind == "follower_change":
                growth[event.causation_id] += event.count
        assert all(count <= growth[cause] for cause, count in follows.items())
        assert sum(growth.values()) == (told[-1] - told[0] if told else 0)
        assert sum(follows.values()) <= sum(max(later - one, 0) for one, later in pairwise(told))


Crashes.TestCase.settings = settings(max_examples=150, stateful_step_count=20, deadline=None)
TestCrashes = Crashes.TestCase


def test_a_post_that_is_gone_is_told_to_the_publisher_once_through_a_crash() -> None:
    log = Log()
    book = log.book()
    assert book.take(state_of("p1"), START) is not None
    book.polled("p1 0", PostInsights(views=3), START + timedelta(minutes=2))
    log.checkpoint(book)
    book.gone("p1 0", START + timedelta(minutes=5))
    log.checkpoint(book, appends=0)
    book = log.book()
    assert list(book.followed()) == []
    log.checkpoint(book)
    (command,) = log.of(PostCommand)
    assert (command.kind, command.publication_id, command.post_id) == ("heal", "p1", "post-p1-0")
    log.checkpoint(book)
    again = log.book()
    assert not again.has_effects


def test_what_is_long_durable_is_not_sent_again() -> None:
    log = Log()
    book = log.book()
    book.take(state_of("p1"), START)
    book.polled("p1 0", PostInsights(views=3), START + timedelta(minutes=2))
    log.checkpoint(book)
    assert book.has_effects  # the number that says so
    log.checkpoint(book)
    assert not book.has_effects
    assert not log.book().has_effects


def test_a_deleted_post_is_not_followed_and_an_old_log_begins_nothing() -> None:
    book = Log().book()
    book.take(state_of("p1"), START)
    book.take(state_of("p1", state="deleted", sequence=6), START)
    book.take(state_of("p1"), START)
    assert list(book.followed()) == []
    assert book.take(state_of("p2"), START + timedelta(days=91)) is None


def test_growth_is_split_over_the_posts_by_the_views_that_each_gained_meanwhile() -> None:
    log = Log()
    book = log.book()
    for post in POSTS:
        book.take(state_of(post), START)
    for minutes, views in ((2, (10, 50, 0)), (20, (40, 60, 0))):
        for post, count in zip(POSTS, views, strict=True):
            book.polled(f"{post} 0", PostInsights(views=count), START + timedelta(minutes=minutes))
        at = START + timedelta(minutes=minutes + 1)
        book.account_polled(ACCOUNT, "ada", AccountReading(100 + minutes, None), at)
        log.checkpoint(book)
    follows = {event.post_id: event.count for event in log.of(EngagementEvent) if event.kind == "follow"}
    (growth,) = [event for event in log.of(EngagementEvent) if event.kind == "follower_change"]
    assert growth.count == 18
    assert follows == {"post-p1-0": 14, "post-p2-0": 4}  # 13.5 and 4.5: of equal remainders, more views


def test_clicks_are_the_posts_whose_mark_the_address_bears_and_days_count_once() -> None:
    log = Log()
    book = log.book()
    book.take(state_of("p1"), START)
    book.take(state_of("p1", part=1, text="see https://shop.example/"), START)
    today, url = START.date(), tracked("https://shop.example/", "p1")
    first = {today: {url: 4, "https://other.example/": 9}}
    book.account_polled(ACCOUNT, "ada", AccountReading(None, first), START)
    log.checkpoint(book)
    at = START + timedelta(hours=1)  # after midnight: both days are asked for
    assert set(book.days_to_ask(ACCOUNT, at)) >= {today, at.date()}
    later = {today: {url: 5}, at.date(): {url: 2}}
    book.account_polled(ACCOUNT, "ada", AccountReading(None, later), at)
    log.checkpoint(book)
    clicks = [event for event in log.of(EngagementEvent) if event.kind == "click"]
    assert {event.post_id for event in clicks} == {"post-p1-1"}  # the part that has the link
    assert sum(event.count for event in clicks) == 7
    assert sorted(event.occurred_at.date() for event in clicks) == [today, today, at.date()]
    snapshot = min(log.of(InsightsSnapshot), key=lambda each: each.sequence)
    assert snapshot.clicks == 13
    assert snapshot.followers is None


def test_a_day_that_is_known_no_more_is_never_asked_for_again_whatever_the_clock_says() -> None:
    log = Log()
    book = log.book()
    book.take(state_of("p1"), START)
    url = tracked("https://shop.example/", "p1")
    for number in range(6):
        at = START + timedelta(days=number)
        clicks = {day: {url: 3} for day in book.days_to_ask(ACCOUNT, at)}
        book.account_polled(ACCOUNT, "ada", AccountReading(None, clicks), at)
        log.checkpoint(book)
    assert book.days_to_ask(ACCOUNT, START) == []
    ahead = START + timedelta(days=1_500)
    none: dict[date, dict[str, int]] = {day: {} for day in book.days_to_ask(ACCOUNT, ahead)}
    book.account_polled(ACCOUNT, "ada", AccountReading(None, none), ahead)
    today = START + timedelta(days=5, minutes=10)
    assert book.days_to_ask(ACCOUNT, today) == [today.date() - timedelta(days=1), today.date()]
    counts = [event.count for event in log.of(EngagementEvent) if event.kind == "click"]
    assert counts == [3] * 7  # the day before the first, and six more


def test_growth_is_another_partitions_to_count_where_its_persona_has_no_posts_here() -> None:
    log = Log()
    book = log.book()
    book.take(state_of("p1"), START)
    for minutes in (1, 2):
        book.account_polled(ACCOUNT, "eve", AccountReading(100 * minutes, {}), START + timedelta(minutes=minutes))
        log.checkpoint(book)
    assert log.of(EngagementEvent) == []


def test_posts_past_their_age_leave_the_state() -> None:
    log = Log()
    book = log.book()
    book.take(state_of("p1"), START)
    for days in (90, 92):
        at = START + timedelta(days=days)
        if book.find("p1 0") and days == 90:
            book.polled("p1 0", PostInsights(views=1), at)
        log.checkpoint(book)
        book.forget_old(at)
    log.checkpoint(book)
    assert not [key for key in log.state if key.startswith(b"p ")]


@pytest.mark.parametrize("state", ["proposed", "publishing", "unconfirmed", "failed"])
def test_only_published_posts_are_followed(state: PublicationState) -> None:
    assert Log().book().take(state_of("p1", state=state), START) is None
