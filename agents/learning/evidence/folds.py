"""Folds for cross-validation: tests that share a headline, or nearly so, are never on both sides."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter, defaultdict

import numpy as np

from agents.learning.evidence.headline_tests import HeadlineTests, Indexes

FOLDS = 5
ALIKE = 0.5
"""Two headlines with this share of their words in common are one: editors ran the best again with small changes."""
_WORD = re.compile(r"[^\W_]+")


def fold_of_tests(tests: HeadlineTests, folds: int = FOLDS) -> Indexes:
    """Return the fold of each test, shape (tests,): by a hash of its group's ids, so alike on every machine."""
    groups = related_tests(tests)
    names: dict[int, str] = {}
    for group, test_id in zip(groups.tolist(), tests.test_ids, strict=True):
        names[group] = min(names.get(group, test_id), test_id)
    ranked = {group: number for number, group in enumerate(sorted(names, key=lambda group: _hash_of(names[group])))}
    return np.array([ranked[group] % folds for group in groups.tolist()], dtype=np.int64)


def related_tests(tests: HeadlineTests) -> Indexes:
    """Return the group of each test: a chain of headlines alike leads from one test of it to the others."""
    leaders = list(range(len(tests.test_ids)))

    def leader(test: int) -> int:
        while leaders[test] != test:
            leaders[test] = leaders[leaders[test]]
            test = leaders[test]
        return test

    tests_of: dict[int, set[int]] = defaultdict(set)
    for test, text in zip(tests.test.tolist(), tests.text.tolist(), strict=True):
        tests_of[text].add(test)
    for texts in _alike(tests.headlines):
        one, *others = {leader(test) for text in texts for test in tests_of[text]} or {0}
        for other in others:
            leaders[leader(other)] = leader(one)
    return np.array([leader(test) for test in range(len(leaders))], dtype=np.int64)


def _alike(headlines: list[str]) -> list[tuple[int, ...]]:
    """Return each headline alone and with each other that has at least `ALIKE` of their words in common (Jaccard).

    Two such sets share one of the rarest words of each, so only those that do are compared (prefix filter of
    Chaudhuri, Ganti, Kaushik 2006).
    """
    words = [frozenset(_WORD.findall(headline.lower())) for headline in headlines]
    common = Counter(word for each in words for word in each)
    found: list[tuple[int, ...]] = [(number,) for number in range(len(headlines))]
    having: dict[str, list[int]] = defaultdict(list)
    for number, each in enumerate(words):
        rarest = sorted(each, key=lambda word: (common[word], word))
        prefix = rarest[: len(rarest) - math.ceil(ALIKE * len(rarest)) + 1]
        found += [
            (other, number)
            for other in sorted({other for word in prefix for other in having[word]})
            if len(each & words[other]) >= ALIKE * len(each | words[other])
        ]
        for word in prefix:
            having[word].append(number)
    return found


def _hash_of(test_id: str) -> str:
    return hashlib.sha256(test_id.encode()).hexdigest()
