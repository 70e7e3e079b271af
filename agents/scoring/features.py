"""The features of quality: pure functions from a draft's text to a value in [0, 1] and the reason for it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agents.guard.findings import GuardPolicy, text_findings
from agents.scoring.lexicon import Lexicon, lexicons
from agents.scoring.words import sentences_of, words_of

Scored = tuple[float, str]

_DIGIT = re.compile(r"\d")
_INNER_NAME = re.compile(r"(?<=[a-zà-ÿа-яєіїґ,;] )[A-ZÀ-ÞА-ЯЄІЇҐ][\w'’-]+")
_FULL_FUNCTION_SHARE = 0.25  # running text has 35-50 % function words; half of that is certain
_CONTENT_LETTERS = 5
_TERSE, _SHORT, _LONG, _LIMIT = 40, 90, 420, 500


def _rising(value: float, worst: float, best: float) -> float:
    return min(max((value - worst) / (best - worst), 0.0), 1.0)


def _lexicon(language: str) -> Lexicon | None:
    return lexicons().get(language)


def ends_whole(body: str) -> bool:
    """Tell whether a body ends as a sentence does, or with a sign such as an emoji, and not within its words."""
    end = body.rstrip()[-1:]
    return bool(end) and not (end.isalnum() or end in ",;:-–—")


def readability(text: str, *, is_whole: bool = True) -> Scored:
    """Score short sentences of plain words: best at 6 to 18 words a sentence and under 5.5 letters a word.

    A text that breaks off is hard to read whatever its words.
    """
    words, sentences = words_of(text), sentences_of(text)
    if not words or not sentences:
        return 0.0, "no whole sentence"
    if not is_whole:
        return 0.0, "breaks off within a sentence"
    per_sentence = len(words) / len(sentences)
    letters = sum(map(len, words)) / len(words)
    value = min(
        _rising(per_sentence, 2.0, 6.0),
        _rising(per_sentence, 40.0, 18.0),
        _rising(letters, 9.0, 5.5),
        _rising(letters, 1.5, 3.0),
    )
    return value, f"{per_sentence:.1f} words a sentence, {letters:.1f} letters a word"


def specificity(text: str, language: str) -> Scored:
    """Score concrete detail: numbers, names and different content words; vague words count against it."""
    words, lexicon = words_of(text), _lexicon(language)
    if not words:
        return 0.0, "no words"
    plain = lexicon.function_words if lexicon else frozenset[str]()
    content = {word for word in words if word not in plain and len(word) >= _CONTENT_LETTERS}
    numbers = sum(1 for word in words if _DIGIT.search(word) or (lexicon and word in lexicon.number_words))
    vague = sum(1 for word in words if lexicon and word in lexicon.vague_words)
    names = len(_INNER_NAME.findall(text)) if language != "de" else 0  # German writes every noun with a capital
    details = 0.08 * len(content) + 0.15 * min(numbers, 3) + 0.1 * min(names, 2) - 0.12 * vague
    return min(max(details, 0.0), 1.0), f"{len(content)} content words, {numbers} numbers, {vague} vague words"


def length_fit(text: str) -> Scored:
    """Score the length of the post: best from 90 to 420 characters of the 500 that Threads takes."""
    length = len(text)
    value = _rising(length, _TERSE, _SHORT) if length <= _LONG else _rising(length, _LIMIT + 1, _LONG)
    return value, f"{length} characters"


def language_match(text: str, language: str) -> Scored:
    """Score how likely the text is in its language, by function words; a language without a list is taken as it is."""
    words = words_of(text)
    if not words:
        return 0.0, "no words"
    if language not in lexicons():
        return 0.5, f"no word list for {language!r}"
    shares = {
        name: sum(word in each.function_words for word in words) / len(words) for name, each in lexicons().items()
    }
    likeliest = max(shares, key=lambda name: (shares[name], name == language))
    if likeliest != language:
        return 0.0, f"reads as {likeliest!r} ({shares[likeliest]:.0%} of its function words), not {language!r}"
    return min(shares[language] / _FULL_FUNCTION_SHARE, 1.0), f"{shares[language]:.0%} function words of {language!r}"


def safety(text: str, banned_phrases: Sequence[str]) -> Scored:
    """Score 1 when the guard finds nothing that forbids publishing, else 0 with every finding."""
    found = text_findings(text, GuardPolicy(banned_phrases=banned_phrases))
    return (0.0, "; ".join(map(str, found))) if found else (1.0, "nothing found")
