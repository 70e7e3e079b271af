"""Evidence: what counts weigh, and that a test's own level is nobody's merit."""

from __future__ import annotations

import numpy as np
import pytest

from agents.learning.evidence.headline_tests import HeadlineTests
from agents.learning.evidence.weights import HEADLINE_VARIANCE, evidence_of, log_odds
from tests.support.drawn_tests import draw_tests


def _two_arms(shown: float, clicks: tuple[float, float]) -> HeadlineTests:
    both = np.array([0, 0]), np.array([0, 1])
    return HeadlineTests(["t"], ["one", "two"], *both, None, np.array([shown, shown]), np.array(clicks), {})


def test_the_strengths_that_evidence_pulls_to_are_the_differences_of_log_odds() -> None:
    tests = draw_tests(tests=3).tests
    evidence = evidence_of(tests)
    odds, _ = log_odds(tests)
    assert evidence.times(odds) == pytest.approx(evidence.pull)
    assert evidence.times(np.ones(len(odds))) == pytest.approx(np.zeros(len(odds)), abs=1e-9)


def test_more_clicks_weigh_more_up_to_what_no_count_can_tell() -> None:
    few, many, most = (
        evidence_of(_two_arms(views, (views / 50, views / 40))).times(np.array([0.5, -0.5]))[0]
        for views in (1e3, 1e4, 1e9)
    )
    assert 0 < few < many < most
    assert most == pytest.approx(1 / (2 * HEADLINE_VARIANCE), rel=0.02)
