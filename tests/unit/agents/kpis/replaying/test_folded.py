"""A range of the log folded into KPIs of its own: what a naive count gives, however it is cut and taken over."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.kpis.replaying.folded import fingerprint
from tests.support.kpis import kpi_reference as reference
from tests.support.kpis.kpi_folds import folded, logged
from tests.support.kpis.kpi_reference import HOUR_MS, MINUTE_MS
from tests.support.kpis.kpi_sends import Age, Engagement, Revenue, Send, sends


@settings(max_examples=settings().max_examples // 10, deadline=None)
@given(
    steps=st.lists(
        st.tuples(sends(), st.sampled_from([0, 1, MINUTE_MS, HOUR_MS, 30 * HOUR_MS])), min_size=1, max_size=5
    ),
    size=st.integers(1, 9),
    restarts=st.booleans(),
)
def test_any_cut_gives_what_a_naive_count_gives_and_the_same_state(
    steps: list[tuple[list[Send], int]], size: int, restarts: bool
) -> None:
    log = logged([(send, step_ms if number == 0 else 0) for many, step_ms in steps for number, send in enumerate(many)])
    fold, kept = asyncio.run(folded(log, size, restarts=restarts))
    _, whole = asyncio.run(folded(log, len(log), restarts=False))
    assert fingerprint(kept.items()) == fingerprint(whole.items())
    found = {(each["persona_id"], each["window"]): each for each in fold.figures()}
    now_ms = log[-1].earliest_ms
    for persona in {each.event.persona_id for each in log}:
        of_persona = [each for each in log if each.event.persona_id == persona]
        for window in reference.WINDOWS:
            for name, figure in reference.figures(of_persona, window, now_ms).items():
                expected = None if figure is None else pytest.approx(figure, rel=1e-12)
                assert found[persona, window][name] == expected, (persona, window, name)
        assert found[persona, "lifetime"]["late_events"] == reference.late_events(of_persona)[0]
        month = found[persona, reference.LONGEST]["revenue_projection_monthly_micros"]
        assert month == reference.projection(of_persona, now_ms, now_ms)


async def test_what_was_late_when_the_log_took_it_is_late_whenever_it_is_folded() -> None:
    """An hour later it would be; an hour before it was not: only the time of the log counts."""
    edge = Age(30 * 24 * HOUR_MS - HOUR_MS, HOUR_MS, 0)
    view = Send(Engagement("ada", "view", 1), edge)
    late = Send(Engagement("ada", "view", 1), Age(edge.ago_ms, HOUR_MS, -1))
    fold, _ = await folded(
        logged([(view, 0), (late, 0), (Send(Revenue("ada", "sale", 5)), 48 * HOUR_MS)]), 9, restarts=False
    )
    assert [each["late_events"] for each in fold.figures() if each["window"] == "lifetime"] == [1]


async def test_another_count_has_another_fingerprint() -> None:
    _, one = await folded(logged([(Send(Engagement("ada", "view", 1)), 0)]), 9, restarts=False)
    _, two = await folded(logged([(Send(Engagement("ada", "view", 2)), 0)]), 9, restarts=False)
    assert fingerprint(one.items()) != fingerprint(two.items())
