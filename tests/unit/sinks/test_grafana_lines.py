"""KPI updates as lines: whatever they hold, a parser that is not ours reads the same, one line each."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from line_protocol_parser import parse_line

from schemas.records import KpiUpdate
from sinks.grafana_live.lines import COUNTS, has_channel, line
from streams.json_records import parse_record

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "kpi.updates.json"
MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)


def golden() -> KpiUpdate:
    update = parse_record(KpiUpdate, GOLDEN.read_text(encoding="utf-8"))
    assert isinstance(update, KpiUpdate)
    return update


def parsed(update: KpiUpdate) -> Any:
    text = line(update)
    assert "\n" not in text
    return parse_line(text)


def test_an_update_is_a_line_by_persona_at_the_instant_of_its_window() -> None:
    assert parsed(golden()) == {
        "measurement": "kpi_24h",
        "tags": {"persona_id": "ada"},
        "time": 1_795_339_815_000_000_000,
        "fields": {
            "views": 1000,
            "likes": 31,
            "replies": 4,
            "reposts": 3,
            "quotes": 1,
            "shares": 1,
            "clicks": 12,
            "follows": 5,
            "account_growth": 4,
            "engagements": 40,
            "posts": 2,
            "unpriced_calls": 0,
            "late_events": 0,
            "viral_posts": 0,
            "engagement_rate": 0.04,
            "cost_per_follow_dollars": 0.008042,
            "cost_per_account_growth_dollars": 0.0100525,
            "cost_dollars": 0.04021,
            "revenue_dollars": 31.0,
        },
    }


@pytest.mark.parametrize(
    "persona",
    [
        "ana bel",
        "a,b=c",
        'quo"te',
        "💡 נועה",
        "back\\slash",
        "end\\",
        "line\nfeed",
        "\ttab",
        "#comment",
        "a\\ b",
        "\\,\\=",
    ],
)
def test_a_persona_with_any_name_is_one_tag(persona: str) -> None:
    found = parsed(replace(golden(), persona_id=persona))
    pictures = persona.translate({0x0A: "␊", 0x09: "␉", 0x5C: "∖"})
    assert found["tags"] == {"persona_id": pictures}
    assert found["fields"]["views"] == 1000


counts = st.integers(min_value=-(2**63), max_value=2**63 - 1)
ratios = st.none() | st.floats(allow_subnormal=False)  # the parser's strtod takes no subnormal ones; Go's does


@given(
    persona=st.text(min_size=1).filter(lambda text: "\x00" not in text and not text.isspace()),
    numbers=st.fixed_dictionaries(dict.fromkeys(COUNTS, counts)),
    rate=ratios,
    projection=st.none() | counts,
    at=st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1)),  # noqa: DTZ001 - made UTC below
)
def test_any_update_is_read_as_it_is(
    persona: str, numbers: dict[str, Any], rate: float | None, projection: int | None, at: datetime
) -> None:
    update = replace(
        golden(),
        persona_id=persona,
        engagement_rate=rate,
        revenue_projection_monthly_micros=projection,
        window_end=at.replace(tzinfo=UTC),
        **numbers,
    )
    found = parsed(update)
    assert {name: found["fields"][name] for name in COUNTS} == numbers
    assert found["fields"].get("engagement_rate") == (rate if rate is not None and math.isfinite(rate) else None)
    assert ("revenue_projection_monthly_dollars" in found["fields"]) is (projection is not None)
    assert datetime.fromtimestamp(0, UTC) + timedelta(microseconds=found["time"] // 1_000) == update.window_end


def test_a_ratio_without_denominator_is_no_field() -> None:
    fields = parsed(replace(golden(), engagement_rate=None, viral_posts=None))["fields"]
    assert not {"engagement_rate", "viral_posts"} & set(fields)


@pytest.mark.parametrize(("window", "is_pushed"), [("24h", True), ("lifetime", True), ("24 h", False), ("a/b", False)])
def test_only_windows_that_can_name_a_channel_are_pushed(window: str, *, is_pushed: bool) -> None:
    assert has_channel(replace(golden(), window=window)) is is_pushed
