"""The one list of kinds and counters is what schemas, metrics and documents say."""

from __future__ import annotations

from dataclasses import fields
from typing import get_args

import pytest

from agents.kpis.counters import COUNTERS
from schemas.definitions import definition
from schemas.engagement import (
    COUNTER_OF,
    ENGAGING_COUNTERS,
    POST_COUNTERS,
    VIRAL_LEAST_VIEWS,
    VIRAL_VIEWS_BY_ENGAGEMENT,
)
from schemas.records import EngagementKind, KpiUpdate
from sinks.prometheus.metrics import ENGAGEMENTS, POSTS_ENGAGEMENT_RATE, VIRAL_POSTS

VIRAL_RULE = f"over {100 // VIRAL_VIEWS_BY_ENGAGEMENT} % and at least {VIRAL_LEAST_VIEWS} views"


def doc_of(record: str, name: str) -> str:
    return next(str(field["doc"]) for field in definition(record)["fields"] if field["name"] == name)


def test_every_kind_of_the_schema_has_a_counter() -> None:
    assert tuple(COUNTER_OF) == get_args(EngagementKind)


def test_every_counter_is_a_field_of_the_update_that_tells_it() -> None:
    assert set(COUNTERS) <= {field.name for field in fields(KpiUpdate)}


def test_the_numbers_of_counters_in_state_and_partials_never_change() -> None:
    assert COUNTERS == (
        "views", "likes", "replies", "reposts", "quotes", "shares", "clicks", "follows",
        "account_growth", "posts", "cost_micros", "unpriced_calls",
        "revenue_micros", "one_off_revenue_micros", "recurring_revenue_micros", "late_events",
    )  # fmt: skip
    assert COUNTERS[: len(POST_COUNTERS)] == POST_COUNTERS


@pytest.mark.parametrize("text", [doc_of("KpiUpdate", "engagements"), POSTS_ENGAGEMENT_RATE.help])
def test_what_engagements_are_is_said_as_it_is_counted(text: str) -> None:
    assert " + ".join(ENGAGING_COUNTERS) in text


def test_the_kinds_of_the_series_are_said_as_they_are_shown() -> None:
    assert ENGAGEMENTS.help.endswith(f"by kind: {', '.join(POST_COUNTERS)}.")


@pytest.mark.parametrize("text", [doc_of("KpiUpdate", "viral_posts"), VIRAL_POSTS.help])
def test_the_viral_rule_is_said_as_it_is_applied(text: str) -> None:
    assert VIRAL_RULE in text
