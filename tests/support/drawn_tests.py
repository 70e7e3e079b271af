"""Randomized tests of headlines drawn by chance from a known truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agents.learning.evidence.headline_tests import Floats, HeadlineTests

WORDS = [f"word{number}" for number in range(60)]
BASE_LOG_ODDS = -4.0


@dataclass(frozen=True, slots=True)
class Drawn:
    """Tests and the true log odds of each arm."""

    tests: HeadlineTests
    truth: Floats


def draw_tests(seed: int = 0, *, tests: int = 200, arms: int = 4, views: int = 3000, spread: float = 0.3) -> Drawn:
    """Draw tests whose headlines' strengths are sums of what their six words are worth."""
    chance = np.random.default_rng(seed)
    worth = chance.normal(0, spread / np.sqrt(6), len(WORDS))
    words = np.array([chance.choice(len(WORDS), 6, replace=False) for _ in range(tests * arms)])
    truth = worth[words].sum(axis=1) + np.repeat(chance.normal(BASE_LOG_ODDS, 0.5, tests), arms)
    shown = np.full(tests * arms, float(views))
    clicks = chance.binomial(views, 1 / (1 + np.exp(-truth))).astype(np.float64)
    headlines = [" ".join(WORDS[word] for word in row) for row in words]
    number = np.arange(tests * arms)
    test_ids = [f"test-{test}" for test in range(tests)]
    return Drawn(
        HeadlineTests(test_ids, headlines, np.repeat(np.arange(tests), arms), number, None, shown, clicks, {}), truth
    )


def write_tests(drawn: Drawn, path: Path) -> Path:
    """Write drawn tests as a CSV file."""
    tests = drawn.tests
    rows = [
        f"{tests.test_ids[test]},{tests.headlines[text]},{int(shown)},{int(clicks)}"
        for test, text, shown, clicks in zip(tests.test, tests.text, tests.shown, tests.clicks, strict=True)
    ]
    path.write_text("\n".join(["test_id,headline,impressions,clicks", *rows]) + "\n", encoding="utf-8")
    return path
