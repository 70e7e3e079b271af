"""Pairs of arms of one test with different hooks, and how clear it is which of the two readers took."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents.learning.evidence.headline_tests import Floats, HeadlineTests, Indexes, Marks

SIGNIFICANT_Z = 1.96


@dataclass(frozen=True, slots=True)
class Pairs:
    """Two arms of a test a pair, as indexes of arms; `z` is that of the difference of click rates, first less second.

    `gap` is how much greater the better rate is: .25 for 5 % against 4 %; infinite where the other had no click.
    `same_picture` is None where the file doesn't name pictures.
    """

    first: Indexes
    second: Indexes
    test: Indexes
    z: Floats
    gap: Floats
    same_picture: Marks | None

    @property
    def significant(self) -> Marks:
        """Return which pairs differ by more than chance explains once in twenty times."""
        return np.abs(self.z) > SIGNIFICANT_Z

    def __len__(self) -> int:
        return len(self.z)

    def only(self, wanted: Marks) -> Pairs:
        """Return the pairs that are marked."""
        same = None if self.same_picture is None else self.same_picture[wanted]
        return Pairs(self.first[wanted], self.second[wanted], self.test[wanted], self.z[wanted], self.gap[wanted], same)


def pairs_of(tests: HeadlineTests) -> Pairs:
    """Return all pairs of arms of one test whose headlines differ, in the order of the file."""
    found = []
    start = 0
    for end in tests.ends():
        one, other = np.triu_indices(end - start, k=1)
        found.append(np.stack([one, other]) + start)
        start = end
    first, second = np.concatenate(found, axis=1)
    different = tests.text[first] != tests.text[second]
    first, second = first[different], second[different]
    same = None if tests.picture is None else tests.picture[first] == tests.picture[second]
    z = z_scores(tests.clicks[first], tests.shown[first], tests.clicks[second], tests.shown[second])
    return Pairs(first, second, tests.test[first], z, _gaps(tests, first, second), same)


def z_scores(clicks: Floats, shown: Floats, other_clicks: Floats, other_shown: Floats) -> Floats:
    """Return the pooled two-proportion z of each pair of click rates; 0 where nobody or everybody clicked."""
    pooled = (clicks + other_clicks) / (shown + other_shown)
    error = np.sqrt(pooled * (1 - pooled) * (1 / shown + 1 / other_shown))
    difference = clicks / shown - other_clicks / other_shown
    return np.divide(difference, error, out=np.zeros_like(error), where=error > 0)


def _gaps(tests: HeadlineTests, first: Indexes, second: Indexes) -> Floats:
    rates = tests.clicks / tests.shown
    better, worse = np.maximum(rates[first], rates[second]), np.minimum(rates[first], rates[second])
    with np.errstate(divide="ignore"):
        return np.asarray(np.divide(better, worse, out=np.full(len(better), np.inf), where=worse > 0) - 1)
