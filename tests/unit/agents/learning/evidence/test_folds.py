"""Folds: nothing that is learned from stands among what is held out, not even nearly."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from agents.learning.evidence.folds import fold_of_tests, related_tests
from agents.learning.evidence.headline_tests import HeadlineTests, read_tests
from tests.support.drawn_tests import draw_tests

HEADLINES = {
    "a": ["A Boy Makes Anti-Muslim Comments In Front Of A Soldier", "Something Else Entirely Here"],
    "b": ["A boy makes anti-Muslim comments in front of an American soldier", "Nothing of the kind"],
    "c": ["nothing of the kind", "Three Things No Doctor Says Aloud"],
    "d": ["Why Whales Sing At Night", "Whales: A Love Story"],
}


def _tests(path: Path, headlines: dict[str, list[str]] = HEADLINES) -> HeadlineTests:
    rows = [f"{test},{headline},100,5" for test, both in headlines.items() for headline in both]
    path.write_text("test_id,headline,impressions,clicks\n" + "\n".join(rows) + "\n")
    return read_tests(path)


def test_tests_with_the_same_or_nearly_the_same_headline_are_one_group(tmp_path: Path) -> None:
    groups = related_tests(_tests(tmp_path / "tests.csv")).tolist()
    assert groups[0] == groups[1] == groups[2]
    assert groups[3] != groups[0]


def test_a_group_is_in_one_fold(tmp_path: Path) -> None:
    folds = fold_of_tests(_tests(tmp_path / "tests.csv"), folds=2).tolist()
    assert folds[0] == folds[1] == folds[2]
    assert set(folds) == {0, 1}


def test_folds_do_not_depend_on_the_order_of_the_file(tmp_path: Path) -> None:
    one = _tests(tmp_path / "one.csv")
    other = _tests(tmp_path / "other.csv", dict(reversed(HEADLINES.items())))
    assert dict(zip(one.test_ids, fold_of_tests(one).tolist(), strict=True)) == dict(
        zip(other.test_ids, fold_of_tests(other).tolist(), strict=True)
    )


def test_folds_are_of_like_size() -> None:
    tests = draw_tests(tests=100, arms=2).tests
    sizes = np.bincount(fold_of_tests(tests), minlength=5)
    assert sizes.sum() == 100
    assert sizes.min() >= 10
