"""The pace of telling: few personas are told at once, many less often, and nobody is left out by any clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agents.kpis.merge import AT_ONCE, LONGEST_WAIT_MS, PERSONAS_PER_S, TellingPace

NOW_MS = 1_795_363_200_000


def test_few_personas_are_told_as_often_as_they_change() -> None:
    pace = TellingPace()
    assert pace.due(NOW_MS)
    pace.told(AT_ONCE, NOW_MS)
    assert pace.due(NOW_MS)


def test_after_many_personas_the_next_wait() -> None:
    pace = TellingPace()
    pace.told(AT_ONCE + PERSONAS_PER_S, NOW_MS)
    assert not pace.due(NOW_MS + 999)
    assert pace.due(NOW_MS + 1_000)


@given(st.integers(0, 10**9), st.integers(0, 10**12))
def test_nobody_waits_longer_than_the_longest_wait_also_when_the_clock_steps_back(personas: int, back_ms: int) -> None:
    pace = TellingPace()
    pace.told(personas, NOW_MS)
    assert pace.due(NOW_MS + LONGEST_WAIT_MS)
    assert pace.due(NOW_MS - 1 - back_ms)
