"""What producers send: events of every topic and kind, and moments about the edges of windows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, assert_never, get_args

from hypothesis import strategies as st

from schemas.records import (
    CostEvent,
    EngagementBasis,
    EngagementEvent,
    EngagementKind,
    PostPublished,
    RevenueEvent,
    RevenueKind,
)
from tests.support.kpis.kpi_reference import DAY_MS, EPOCH, HOUR_MS, MINUTE_MS, Event

PERSONAS = ("ada", "a|b", "ü")  # on both of two partitions of kpi.partials
POSTS = ("p1", "p|2")
COUNTS = [kind for kind in get_args(EngagementKind) if kind != "follower_change"]


@dataclass(frozen=True, slots=True)
class Age:
    """A moment: `ago_ms` before the clock (after it if negative), then the start of its pane, then `beside_ms` on."""

    ago_ms: int = 0
    pane_ms: int = 1
    beside_ms: int = 0

    def at(self, now_ms: int) -> int:
        return (now_ms - self.ago_ms) // self.pane_ms * self.pane_ms + self.beside_ms


@dataclass(frozen=True, slots=True)
class Engagement:
    persona_id: str
    kind: EngagementKind
    count: int
    post_id: str | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    persona_id: str
    micros: int | None  # None: no known price


@dataclass(frozen=True, slots=True)
class Revenue:
    persona_id: str
    kind: RevenueKind
    micros: int


@dataclass(frozen=True, slots=True)
class Post:
    persona_id: str


@dataclass(frozen=True, slots=True)
class Send:
    """One event, `hole` offsets behind the last; `number` None for an id of its own, else one that others may have."""

    what: Engagement | Cost | Revenue | Post
    age: Age = Age()
    partition: int = 0
    number: int | None = None
    hole: int = 0


def event_of(send: Send, event_id: str, now_ms: int) -> tuple[str, Event]:
    """Return the topic and the event of what is sent at `now_ms`."""
    at, what = EPOCH + timedelta(milliseconds=send.age.at(now_ms)), send.what
    named: dict[str, Any] = {"event_id": event_id, "occurred_at": at, "persona_id": what.persona_id}
    match what:
        case Engagement():
            basis: EngagementBasis = "correction" if what.count < 0 else "event"
            engagement = EngagementEvent(**named, post_id=what.post_id, kind=what.kind, count=what.count, basis=basis)
            return "engagement.events", engagement
        case Cost():
            call: dict[str, Any] = {"step": "hook", "model": "m", "prompt_tokens": 1, "completion_tokens": 1}
            return "cost.events", CostEvent(**named, **call, cost_micros=what.micros)
        case Revenue():
            return "revenue.events", RevenueEvent(**named, kind=what.kind, amount_micros=what.micros)
        case Post():
            return "posts.published", PostPublished(**named, post_id="p", text="")
        case _:
            assert_never(what)


def events() -> st.SearchStrategy[Engagement | Cost | Revenue | Post]:
    personas, posts = st.sampled_from(PERSONAS), st.sampled_from(POSTS)
    counts = st.sampled_from([1, 0, 9, 10, 11, 60, 99, 100, 101, 500])
    micros = st.sampled_from([1, 0, 999, 30_000_000, 123_456_789])
    named = st.builds(Engagement, personas, st.sampled_from(COUNTS), counts, st.none() | posts)
    growth = st.builds(Engagement, personas, st.just("follower_change"), st.integers(-3, 3))
    falls = st.builds(Engagement, personas, st.sampled_from(COUNTS), st.integers(-500, -1), posts)  # totals fell
    costs = st.builds(Cost, personas, st.none() | micros)
    revenue = st.builds(Revenue, personas, st.sampled_from(get_args(RevenueKind)), micros)
    return st.one_of(named, named, named, falls, growth, costs, revenue, revenue, st.builds(Post, personas))


def ages() -> st.SearchStrategy[Age]:
    """Return moments from three days ahead to 400 days ago, mostly within a millisecond of where a window starts."""
    anywhere = st.one_of(
        st.integers(-3 * DAY_MS, 0),
        st.integers(0, 2 * HOUR_MS),
        st.integers(0, 8 * DAY_MS),
        st.integers(0, 45 * DAY_MS),
        st.integers(0, 400 * DAY_MS),
    )
    minutes = st.sampled_from([0, -1, 59, 60, 24 * 60 - 1, 24 * 60])
    hours = st.sampled_from([0, -1, 7 * 24 - 1, 7 * 24, 30 * 24 - 1, 30 * 24, 31 * 24])
    beside = st.integers(-1, 1)
    minute_edges = st.builds(Age, minutes.map(lambda count: count * MINUTE_MS), st.just(MINUTE_MS), beside)
    hour_edges = st.builds(Age, hours.map(lambda count: count * HOUR_MS), st.just(HOUR_MS), beside)
    return st.one_of(anywhere.map(Age), minute_edges, hour_edges, hour_edges)


def sends() -> st.SearchStrategy[list[Send]]:
    """Return a few events, or many."""
    send = st.builds(Send, events(), ages(), st.integers(0, 1), numbers(), st.sampled_from([0, 0, 0, 1, 2]))
    return st.lists(send, min_size=1, max_size=6) | st.lists(send, min_size=8, max_size=24)


def numbers() -> st.SearchStrategy[int | None]:
    """Return numbers of ids: None for one of its own, else one of few."""
    return st.none() | st.none() | st.integers(0, 3)
