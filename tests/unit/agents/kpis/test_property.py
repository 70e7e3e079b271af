"""KPIs: whatever producers, workers, broker and clock do, what is told last is what a naive reference counts.

`./run_tests.sh tests/unit/agents/kpis/test_property.py --hypothesis-profile long` looks for longer.
"""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.kpis import fold
from tests.support.kpis.kpi_histories import HORIZONS, Happening, histories
from tests.support.kpis.kpi_life import Life


@settings(max_examples=settings().max_examples * 3 // 5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    happenings=histories(),
    targets=st.integers(1, 2),
    horizon=st.sampled_from(HORIZONS),
    max_partial_bytes=st.sampled_from([fold.MAX_PARTIAL_BYTES, 1_200]),
)
def test_what_is_told_last_is_what_a_naive_count_of_the_log_gives(
    happenings: list[Happening], targets: int, horizon: int, max_partial_bytes: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fold, "MAX_PARTIAL_BYTES", max_partial_bytes)
        asyncio.run(Life(targets, horizon).live(happenings))
