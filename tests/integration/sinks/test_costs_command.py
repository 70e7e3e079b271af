"""`costs`: calls and tokens add up, unknown prices are counted apart, and savings have their share of the bill."""

from __future__ import annotations

import pytest

from schemas.records import CostSaving, SavingMeasure
from sinks.reports.commands import costs
from tests.support.postgres_tables import load
from tests.support.printed_commands import parsed, printed
from tests.support.sink_batches import NOON, calls, rows


def saving(number: int, measure: SavingMeasure, micros: int | None) -> CostSaving:
    return CostSaving(
        event_id=f"s{number}",
        occurred_at=NOON,
        persona_id="nova",
        step="body",
        measure=measure,
        model="gpt",
        prompt_tokens=100,
        completion_tokens=10,
        saved_micros=micros,
    )


def test_costs_add_up_and_calls_of_unknown_price_are_counted_apart(current_dsn: str) -> None:
    load(current_dsn, calls())
    found = parsed(costs)
    assert [
        (each["persona_id"], each["model"], each["calls"], each["cost_micros"])
        for each in found["by_persona_and_model"]
    ] == [
        ("nova", "gpt", 2, 1_000_003),
        ("nova", "new", 1, 0),
        ("rex", "gpt", 1, 500_000),
    ]
    assert found["total"] == {
        "calls": 4,
        "prompt_tokens": 1111,
        "cached_tokens": 50,
        "completion_tokens": 20,
        "reasoning_tokens": 0,
        "cost_micros": 1_500_003,
        "cost_dollars": 1.500003,
        "unpriced_calls": 1,
    }
    assert "$1.500003" in printed(costs)


def test_savings_are_told_by_measure_with_their_share_and_what_is_unknown(current_dsn: str) -> None:
    savings = [
        saving(0, "tier", 250_000),
        saving(1, "tier", 249_997),
        saving(2, "cache", None),
        saving(3, "batch", -10),
    ]
    load(current_dsn, calls(), rows("cost.savings", 0, savings))
    found = parsed(costs, "--saved")
    of = {row["measure"]: row for row in found["by_measure"]}
    assert (of["tier"]["calls"], of["tier"]["saved_micros"], of["tier"]["prompt_tokens"]) == (2, 499_997, 200)
    assert (of["cache"]["saved_micros"], of["cache"]["unknown_calls"]) == (0, 1)
    assert of["batch"]["saved_micros"] == -10
    assert (found["bill_micros"], found["bill_unpriced_calls"]) == (1_500_003, 1)
    assert found["bill_without_micros"] == 1_500_003 + 499_987
    assert of["tier"]["share"] == pytest.approx(499_997 / 1_999_990)
    assert found["total"]["share"] == pytest.approx(499_987 / 1_999_990)
    shown = printed(costs, "--saved")
    assert "25.0 %" in shown
    assert "unknown" in shown


def test_without_savings_and_costs_there_is_no_share(current_dsn: str) -> None:
    load(current_dsn)
    found = parsed(costs, "--saved")
    assert found["by_measure"] == []
    assert (found["total"]["saved_micros"], found["total"]["share"]) == (0, None)
