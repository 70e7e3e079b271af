"""Hook strength against what readers did: real randomized tests of headlines, where the archive is at hand."""

from __future__ import annotations

import csv
import gzip
import math
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import pytest

from agents.scoring.hook_strength import hook_strength, hook_words
from agents.scoring.words import lexicons, words_of

ARCHIVE = Path(__file__).resolve().parents[5] / "shared" / "data" / "upworthy_headlines.csv.gz"
CLEAR_Z = 2.0
LEAST_SHARE, LEAST_CLEAR_SHARE = 0.55, 0.60


def pairs() -> list[tuple[str, str, float]]:
    """Return pairs of headlines that differ in words only, with the z-score of their click rates' difference."""
    arms: dict[tuple[str, str], dict[str, tuple[int, int]]] = defaultdict(dict)
    with gzip.open(ARCHIVE, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            known = arms[row["test_id"], row["eyecatcher_id"]]
            shown, clicked = known.get(row["headline"], (0, 0))
            known[row["headline"]] = shown + int(row["impressions"]), clicked + int(row["clicks"])
    found = []
    for arm in arms.values():
        for (one, (shown_1, clicks_1)), (other, (shown_2, clicks_2)) in combinations(arm.items(), 2):
            rate = (clicks_1 + clicks_2) / (shown_1 + shown_2)
            if 0 < rate < 1:
                error = math.sqrt(rate * (1 - rate) * (1 / shown_1 + 1 / shown_2))
                found.append((one, other, (clicks_1 / shown_1 - clicks_2 / shown_2) / error))
    return found


def ordered_right(tests: list[tuple[str, str, float]]) -> tuple[float, int]:
    """Return the share of pairs that hook strength puts in the order of their click rates; ties are left out."""
    told = [
        (difference > 0) == (z > 0)
        for one, other, z in tests
        if (difference := hook_strength(one, "en")[0] - hook_strength(other, "en")[0]) and z
    ]
    return sum(told) / len(told), len(told)


def test_headlines_that_readers_preferred_are_the_stronger_hooks() -> None:
    if not ARCHIVE.exists():
        pytest.skip(f"{ARCHIVE.name} is not beside the checkout")
    tests = pairs()
    share, count = ordered_right(tests)
    clear, clear_count = ordered_right([each for each in tests if abs(each[2]) > CLEAR_Z])
    print(f"hook strength: {share:.1%} of {count} pairs, {clear:.1%} of {clear_count} clear ones")  # noqa: T201
    assert share >= LEAST_SHARE
    assert clear >= LEAST_CLEAR_SHARE


@pytest.mark.parametrize(
    ("stronger", "weaker", "language"),
    [
        ("She lost 3 jobs before anyone asked her what happened.", "What can we do about our jobs?", "en"),
        ("Mi abuela vendió 40 panes y nadie le preguntó cómo.", "¿Y qué hacemos con nuestro pan?", "es"),
        ("Meine Oma hat 40 Brote verkauft, und keiner hat gefragt.", "Was machen wir mit unserem Brot?", "de"),
        ("Моя бабуся продала 40 хлібин, і ніхто не спитав чому.", "Що нам робити з нашим хлібом?", "uk"),
        ("He took 12 photos of one tree.", "HE TOOK 12 PHOTOS OF ONE TREE.", "en"),
    ],
)
def test_one_person_a_number_and_an_event_beat_a_question_to_everyone(
    stronger: str, weaker: str, language: str
) -> None:
    assert hook_strength(stronger, language)[0] > hook_strength(weaker, language)[0]


def test_a_language_without_lists_is_judged_by_form_alone() -> None:
    assert hook_strength("", "fr") == (0.0, "no hook")
    assert hook_strength("J'ai vu 12 ours.", "fr")[1] == "a number; 4 words"


def test_hook_words_are_written_as_words_are_found() -> None:
    assert set(hook_words()) <= set(lexicons())
    for lists in hook_words().values():
        for words in lists.model_dump().values():
            assert all(words_of(word) == (word,) for word in words)
