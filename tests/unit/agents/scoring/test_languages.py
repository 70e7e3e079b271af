from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from agents.scoring.weights import GATES
from agents.scoring.words import language_match, lexicons, words_of

SAMPLES: dict[str, list[str]] = yaml.safe_load(
    Path(__file__).with_name("language_samples.yaml").read_text(encoding="utf-8")
)
WRITTEN = ("en", "es", "de", "uk")
LEAST_ACCURACY = 0.97


def taken_for(text: str) -> set[str]:
    """Return the languages of personas whose gate the text passes."""
    return {language for language in WRITTEN if language_match(text, language)[0] >= GATES["language_match"]}


def wrong() -> dict[str, set[str]]:
    expected = {text: {language} & set(WRITTEN) for language, texts in SAMPLES.items() for text in texts}
    return {text: taken_for(text) for text, languages in expected.items() if taken_for(text) != languages}


def test_posts_pass_the_gate_of_their_own_language_and_of_no_other() -> None:
    total, failed = sum(map(len, SAMPLES.values())), wrong()
    accuracy = 1 - len(failed) / total
    listed = "\n".join(f"  {text} -> {', '.join(sorted(found)) or 'none'}" for text, found in failed.items())
    print(f"language accuracy {accuracy:.1%} of {total} posts; wrong:\n{listed}")  # noqa: T201 - shown with -s
    assert accuracy >= LEAST_ACCURACY, listed


@pytest.mark.parametrize("language", WRITTEN)
def test_every_language_has_25_posts_of_which_nearly_all_are_told(language: str) -> None:
    posts = SAMPLES[language]
    assert len(set(posts)) >= 25
    assert sum(post in wrong() for post in posts) <= 1


def test_a_neighbour_is_hardly_ever_taken_for_a_language_of_personas() -> None:
    neighbours = {text for language, texts in SAMPLES.items() if language not in WRITTEN for text in texts}
    taken = neighbours & wrong().keys()
    assert len(taken) <= len(neighbours) // 20, taken


@pytest.mark.parametrize("language", ["fr", "it", "nl", "pl", "pt", "ru"])
def test_a_language_without_word_lists_has_its_gate_too(language: str) -> None:
    passes = [language_match(text, language)[0] >= GATES["language_match"] for text in SAMPLES[language]]
    strangers = [language_match(text, language)[0] >= GATES["language_match"] for text in SAMPLES["en"] + SAMPLES["uk"]]
    assert all(passes)
    assert not any(strangers)


def test_a_language_that_no_model_knows_is_taken_as_it_is() -> None:
    assert language_match("saluton kara mondo", "tlh") == (0.5, "no model of 'tlh'")
    assert language_match("🍞 !", "en")[0] == 0.0


def test_words_are_found_whatever_their_case_their_sharp_s_and_their_apostrophe() -> None:
    assert {"dreissig", "einmal"} <= lexicons()["de"].number_words
    assert set(words_of("П\u02bcЯТЬ п\u2019ять п'ять Dreißig")) == {"п'ять", "dreissig"}
    for lexicon in lexicons().values():
        for words in lexicon.model_dump().values():
            assert all(words_of(word) == (word,) for word in words)


@pytest.mark.parametrize("language", WRITTEN)
def test_the_languages_of_personas_have_all_lists(language: str) -> None:
    assert all(lexicons()[language].model_dump().values())
