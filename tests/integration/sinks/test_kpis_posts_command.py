"""`kpis posts` and `kpis daily`: what is known of each post and of each day."""

from __future__ import annotations

import polars as pl
import pytest

from sinks.reports.commands import kpis
from sinks.reports.kpis import SORTS
from streams.engine.batch import ColumnBatch
from tests.support.postgres_tables import load
from tests.support.printed_commands import parsed, printed
from tests.support.sink_batches import NOON_MS, calls, columns, engagement


def engaged(*events: tuple[str, str, str, int, int]) -> ColumnBatch:
    """Return events (persona, post, kind, count, minutes after NOON)."""
    personas, posts, kinds, counts, minutes = zip(*events, strict=True)
    ids = [f"e-{number}" for number in range(len(events))]
    return engagement(
        0,
        ids,
        persona_id=personas,
        post_id=posts,
        kind=kinds,
        count=counts,
        occurred_at=[NOON_MS + 60_000 * each for each in minutes],
    )


def published(post_id: str, text: str) -> ColumnBatch:
    return columns(
        "posts.published",
        {
            "event_id": [f"published-{post_id}"],
            "post_id": post_id,
            "draft_id": pl.Series([None], dtype=pl.String),
            "text": text,
            "source": "test",
            "simulated": False,
        },
    )


def revenue() -> ColumnBatch:
    kinds = ["sale", "subscription_payment", "subscription_started", "subscription_ended"]
    return columns(
        "revenue.events",
        {
            "event_id": kinds,
            "kind": kinds,
            "amount_micros": [2_000_000, 1_000_000, 5_000_000, 1_000_000],
            "subscription_id": pl.Series([None] * 4, dtype=pl.String),
            "source": "test",
            "simulated": False,
        },
    )


POSTS = engaged(
    ("nova", "p1", "view", 200, 1),
    ("nova", "p1", "view", 100, 90),
    ("nova", "p1", "like", 31, 90),
    ("nova", "p2", "view", 400, 5),
    ("nova", "p2", "share", 40, 5),
    ("rex", "p1", "view", 50, 24 * 60),
    ("rex", "p1", "quote", 50, 24 * 60),
)


def test_posts_come_with_counters_viral_or_not_and_their_first_day(current_dsn: str) -> None:
    load(current_dsn, POSTS, published("p1", "[bold]Hello[/bold]"))
    top, viral, other = parsed(kpis, "posts")
    assert [(each["persona_id"], each["post_id"]) for each in (top, viral, other)] == [
        ("nova", "p2"), ("nova", "p1"), ("rex", "p1"),
    ]  # fmt: skip
    assert [each["viral"] for each in (top, viral, other)] == [False, True, False]
    assert top["engagement_rate"] == {"value": 0.1, "numerator": 40, "denominator": 400}
    assert viral["first_hour"] == {"views": 200, "engagements": 0}
    assert viral["first_day"] == {"views": 300, "engagements": 31}
    assert viral["first_day_growth"] == {"value": 0.5, "numerator": 100, "denominator": 200}
    assert (viral["published_at"], viral["published_at_from"], viral["text"]) == (
        "2026-03-01T12:00:00.000+00:00", "publication", "[bold]Hello[/bold]",
    )  # fmt: skip
    assert (other["published_at_from"], other["text"]) == ("first engagement", None)
    table = printed(kpis, "posts", "--persona", "nova")
    assert "10.33% (31 / 300)" in table
    assert "50.00% (100 / 200)" in table
    assert "2026-03-01 12:05 *" in table
    assert "[bold]Hello[/bold]" in table


def test_a_post_of_which_only_totals_are_known_has_no_first_hour(current_dsn: str) -> None:
    totals = engagement(0, ["t-1", "t-2"], post_id=["p9", "p9"], count=[500, -20], basis="total")
    load(current_dsn, totals, published("p9", "text"))
    (found,) = parsed(kpis, "posts")
    assert found["views"] == 480
    assert found["first_hour"] == found["first_day"] == {"views": None, "engagements": None}
    assert found["first_day_growth"] == {"value": None, "numerator": None, "denominator": None}
    assert "480" in printed(kpis, "posts")
    for sort in SORTS:
        assert len(parsed(kpis, "posts", "--sort", sort)) == 1


@pytest.mark.parametrize("sort", SORTS)
def test_posts_are_sorted_greatest_first_and_limited(current_dsn: str, sort: str) -> None:
    load(current_dsn, POSTS)
    greatest = {"published": "rex", "engagement-rate": "rex", "engagements": "rex"}.get(sort, "nova")
    found = parsed(kpis, "posts", "--sort", sort, "--limit", "2")
    assert len(found) == 2
    assert found[0]["persona_id"] == greatest


def test_posts_can_be_narrowed(current_dsn: str) -> None:
    load(current_dsn, POSTS)
    assert [each["post_id"] for each in parsed(kpis, "posts", "--viral")] == ["p1"]
    assert [each["views"] for each in parsed(kpis, "posts", "--min-views", "301")] == [400]
    assert parsed(kpis, "posts", "--persona", "nobody") == []
    assert "no such posts of persona nobody" in printed(kpis, "posts", "--persona", "nobody")


def test_the_daily_history_has_engagement_costs_revenue_and_posts_of_a_day(current_dsn: str) -> None:
    load(current_dsn, POSTS, published("p1", "text"), calls(), revenue())
    first, second, *more = parsed(kpis, "daily")
    assert [(first["day"], first["persona_id"]), (second["day"], second["persona_id"])] == [
        ("2026-03-01", "nova"), ("2026-03-01", "rex"),
    ]  # fmt: skip
    assert [(each["day"], each["views"]) for each in more] == [("2026-03-02", 50)]
    assert first["engagement_rate"] == {"value": 71 / 700, "numerator": 71, "denominator": 700}
    assert first["cost_per_follow"] == {"value": None, "numerator": 1.000003, "denominator": 0}
    counts = ("posts", "cost_micros", "unpriced_calls", "revenue_micros", "one_off_revenue_micros")
    assert [first[name] for name in counts] == [1, 1_000_003, 1, 3_000_000, 2_000_000]
    assert first["recurring_revenue_micros"] == 4_000_000
    assert "10.14% (71 / 700)" in printed(kpis, "daily")
    assert [each["day"] for each in parsed(kpis, "daily", "--since", "2026-03-02")] == ["2026-03-02"]
    assert len(parsed(kpis, "daily", "--until", "2026-03-02", "--persona", "rex")) == 1
    assert "no such days" in printed(kpis, "daily", "--since", "2027-01-01")
