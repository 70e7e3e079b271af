"""`kpis`: every ratio beside its denominator, in the order of personas and windows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from click.testing import CliRunner

from schemas.records import KpiUpdate
from sinks.reports.commands import kpis
from tests.support.postgres_tables import load
from tests.support.printed_commands import parsed, printed
from tests.support.sink_batches import NOON, rows


def kpi(persona_id: str, window: str, *, views: int, follows: int = 0, projection: int | None = None) -> KpiUpdate:
    return KpiUpdate(
        event_id=f"{persona_id}-{window}",
        occurred_at=NOON,
        persona_id=persona_id,
        window=window,
        window_end=NOON,
        window_start=None if window == "lifetime" else NOON - timedelta(hours=1),
        views=views,
        likes=4,
        replies=1,
        engagements=5,
        follows=follows,
        cost_micros=2_500_000,
        engagement_rate=5 / views if views else None,
        cost_per_follow_dollars=2.5 / follows if follows else None,
        revenue_projection_monthly_micros=projection,
        viral_posts=3 if window == "lifetime" else None,
    )


def load_kpis(current_dsn: str, *updates: KpiUpdate) -> None:
    load(current_dsn, rows("kpi.updates", 0, updates))


def test_every_ratio_comes_with_its_numerator_and_denominator(current_dsn: str) -> None:
    load_kpis(current_dsn, kpi("nova", "24h", views=100, follows=10), kpi("nova", "30d", views=0, projection=7_250_000))
    day, month = parsed(kpis)
    assert day["engagement_rate"] == {"value": 0.05, "numerator": 5, "denominator": 100}
    assert day["cost_per_follow"] == {"value": 0.25, "numerator": 2.5, "denominator": 10}
    assert day["cost_per_account_growth"] == {"value": None, "numerator": 2.5, "denominator": 0}
    assert month["engagement_rate"] == {"value": None, "numerator": 5, "denominator": 0}
    assert month["revenue_projection_monthly"] == {"value": 7.25, "numerator": 7.25, "denominator": 1}
    assert {
        name: day[name] for name in ("persona_id", "window", "as_of", "views", "likes", "clicks", "viral_posts")
    } == {
        "persona_id": "nova",
        "window": "24h",
        "as_of": "2026-03-01T12:00:00.000+00:00",
        "views": 100,
        "likes": 4,
        "clicks": 0,
        "viral_posts": None,
    }


def test_kpis_are_in_the_order_of_personas_and_windows_and_can_be_narrowed(current_dsn: str) -> None:
    windows = ("lifetime", "30d", "7d", "24h", "1h")
    load_kpis(current_dsn, *(kpi(persona, window, views=1) for persona in ("rex", "nova") for window in windows))
    shown = [(found["persona_id"], found["window"]) for found in parsed(kpis)]
    assert shown == [(persona, window) for persona in ("nova", "rex") for window in reversed(windows)]
    assert len(parsed(kpis, "--persona", "rex")) == 5
    assert len(parsed(kpis, "--persona", "rex", "--window", "7d")) == 1
    assert parsed(kpis, "--persona", "nobody") == []


def test_the_table_of_kpis_shows_denominators(current_dsn: str) -> None:
    load_kpis(current_dsn, kpi("nova", "24h", views=1000, follows=10), kpi("nova", "lifetime", views=0))
    table = printed(kpis)
    assert "0.50% (5 / 1,000)" in table
    assert "$0.2500 ($2.50 / 10)" in table
    assert "- (5 / 0)" in table


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--persona", "nova", "posts"), "options go behind posts"),
        (("posts", "--sort", "best"), "'views', 'engagements'"),
        (("posts", "--limit", "0"), "0 is not in the range x>=1"),
        (("daily", "--since", "yesterday"), "does not match the format '%Y-%m-%d'"),
        (("daily", "--since", "2026-03-02", "--until", "2026-03-01"), "expected a day after 2026-03-02"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_with_what_would(arguments: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(kpis, arguments)
    assert result.exit_code == 2
    assert said in result.output
