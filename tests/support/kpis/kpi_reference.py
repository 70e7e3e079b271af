"""The naive reference of the KPIs: the whole log in lists and loops, each definition of the README once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from schemas.records import CostEvent, EngagementEvent, PostPublished, RevenueEvent
from streams.engine.batch import TopicPartition

MINUTE_MS = 60 * 1000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

PANES = {"1h": (60, MINUTE_MS), "24h": (24 * 60, MINUTE_MS), "7d": (7 * 24, HOUR_MS), "30d": (30 * 24, HOUR_MS)}
"""Number and length (ms) of the panes of each rolling window."""

WINDOWS = (*PANES, "lifetime")
LONGEST = "30d"

Event = EngagementEvent | CostEvent | RevenueEvent | PostPublished
Figures = dict[str, int | float | None]
"""By field of KpiUpdate."""


@dataclass(frozen=True, slots=True)
class Logged:
    """An event at its place in the log, and the earliest and latest clock (ms) at which it can have been counted."""

    source: TopicPartition
    offset: int
    event: Event
    earliest_ms: int
    latest_ms: int


def once(log: Sequence[Logged], horizon: int) -> list[Logged]:
    """Return the events that count: those whose id does not stand at one of the `horizon` offsets before them.

    An id that stands there as a repetition stands there all the same; beyond the horizon an id counts again. `log` is
    in the order of offsets, and each topic-partition is for itself.
    """
    last: dict[tuple[TopicPartition, str], int] = {}
    counting = []
    for each in log:
        key = (each.source, each.event.event_id)
        if key not in last or each.offset - last[key] > horizon:
            counting.append(each)
        last[key] = each.offset
    return counting


def bounds(window: str, now_ms: int) -> tuple[int, int]:
    """Return the first instant of a rolling window and the one behind its last: the pane under way belongs to it."""
    panes, pane_ms = PANES[window]
    end = (now_ms // pane_ms + 1) * pane_ms
    return end - panes * pane_ms, end


def occurred_ms(event: Event) -> int:
    return (event.occurred_at - EPOCH) // timedelta(milliseconds=1)


def figures(log: Sequence[Logged], window: str, now_ms: int) -> Figures:
    """Return what a window of one persona shows at `now_ms`, but late events and the projection."""
    events = [each.event for each in log if window == "lifetime" or _is_inside(window, each.event, now_ms)]
    engagement = [event for event in events if isinstance(event, EngagementEvent)]
    costs = [event.cost_micros for event in events if isinstance(event, CostEvent)]
    views, follows = _sum(engagement, "view"), _sum(engagement, "follow")
    growth = _sum(engagement, "follower_change")
    engagements = sum(_sum(engagement, kind) for kind in ("like", "reply", "repost", "quote", "share"))
    cost = sum(micros for micros in costs if micros is not None)
    return {
        "views": views,
        "likes": _sum(engagement, "like"),
        "replies": _sum(engagement, "reply"),
        "reposts": _sum(engagement, "repost"),
        "quotes": _sum(engagement, "quote"),
        "shares": _sum(engagement, "share"),
        "clicks": _sum(engagement, "click"),
        "follows": follows,
        "account_growth": growth,
        "posts": len([event for event in events if isinstance(event, PostPublished)]),
        "cost_micros": cost,
        "unpriced_calls": costs.count(None),
        "revenue_micros": one_off_revenue(events) + _revenue(events, "subscription_payment"),
        "one_off_revenue_micros": one_off_revenue(events),
        "recurring_revenue_micros": recurring_revenue(events),
        "engagements": engagements,
        "engagement_rate": engagements / views if views > 0 else None,
        "cost_per_follow_dollars": cost / 1_000_000 / follows if follows > 0 else None,
        "cost_per_account_growth_dollars": cost / 1_000_000 / growth if growth > 0 else None,
        "viral_posts": _viral_posts(engagement) if window == "lifetime" else None,
    }


def projection(log: Sequence[Logged], told_ms: int, now_ms: int) -> int:
    """Return the monthly revenue as a figure told at `told_ms` shows it, when its window holds what it holds now.

    One-off revenue of 30 days x 30 / days covered, rounded down, and recurring revenue; covered are the days since the
    first one-off revenue, 1 to 30.
    """
    ever = [each.event for each in log]
    recurring = recurring_revenue(ever)
    firsts = [occurred_ms(event) for event in ever if _is_one_off(event)]
    if not firsts:
        return recurring
    covered_ms = min(max(told_ms - min(firsts), DAY_MS), 30 * DAY_MS)
    one_off = one_off_revenue([event for event in ever if _is_inside(LONGEST, event, now_ms)])
    return one_off * 30 * DAY_MS // covered_ms + recurring


def late_events(log: Sequence[Logged]) -> tuple[int, int]:
    """Return the least and the greatest number of late events there can be.

    Late is what is older than the longest window when it is counted. The two numbers differ only by events that passed
    its edge while they waited to be counted.
    """
    least = [each for each in log if occurred_ms(each.event) < bounds(LONGEST, each.earliest_ms)[0]]
    greatest = [each for each in log if occurred_ms(each.event) < bounds(LONGEST, each.latest_ms)[0]]
    return len(least), len(greatest)


def one_off_revenue(events: Sequence[Event]) -> int:
    return _revenue(events, "affiliate") + _revenue(events, "lead") + _revenue(events, "sale")


def recurring_revenue(events: Sequence[Event]) -> int:
    return _revenue(events, "subscription_started") - _revenue(events, "subscription_ended")


def _is_inside(window: str, event: Event, now_ms: int) -> bool:
    start, end = bounds(window, now_ms)
    return start <= occurred_ms(event) < end


def _is_one_off(event: Event) -> bool:
    return isinstance(event, RevenueEvent) and event.kind in {"affiliate", "lead", "sale"}


def _sum(events: Sequence[EngagementEvent], kind: str) -> int:
    return sum(event.count for event in events if event.kind == kind)


def _revenue(events: Sequence[Event], kind: str) -> int:
    return sum(event.amount_micros for event in events if isinstance(event, RevenueEvent) and event.kind == kind)


def _viral_posts(events: Sequence[EngagementEvent]) -> int:
    posts = {event.post_id for event in events if event.post_id is not None}
    return len([post for post in posts if _is_viral([event for event in events if event.post_id == post])])


def _is_viral(of_post: Sequence[EngagementEvent]) -> bool:
    views = _sum(of_post, "view")
    engagements = sum(_sum(of_post, kind) for kind in ("like", "reply", "repost", "quote", "share"))
    return views >= 100 and 10 * engagements > views
