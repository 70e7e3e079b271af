"""How much a text repeats itself: the usual way in which a small model goes wrong."""

from __future__ import annotations

from collections.abc import Sequence

from agents.scoring.words import sentences_of, words_of

_GRAM = 3
_FEWEST_WORDS = 6
_LONGEST_WORD = 30


def repeated_share(words: Sequence[str]) -> float:
    """Return the share of three-word runs that occurred before in the text, in [0, 1]."""
    grams = [tuple(words[start : start + _GRAM]) for start in range(len(words) - _GRAM + 1)]
    return 1.0 - len(set(grams)) / len(grams) if grams else 0.0


def distinct_share(words: Sequence[str]) -> float:
    """Return distinct words / words, 0 for no words (type-token ratio)."""
    return len(set(words)) / len(words) if words else 0.0


def coherence(text: str) -> tuple[float, str]:
    """Return how free of repetition a text is, in [0, 1], and why.

    A fifth of the three-word runs repeated, or less than 45 % distinct words, or two sentences of three alike, is 0.
    """
    words = words_of(text)
    if len(words) < _FEWEST_WORDS:
        return 0.0, f"only {len(words)} words"
    if max(map(len, words)) > _LONGEST_WORD:
        return 0.0, "a word of over 30 letters"
    sentences = [" ".join(words_of(sentence)) for sentence in sentences_of(text)]
    alike = 1.0 - len(set(sentences)) / len(sentences) if sentences else 0.0
    repeated, distinct = repeated_share(words), distinct_share(words)
    value = min(
        _falling(repeated, best=0.04, worst=0.20),
        _falling(1.0 - distinct, best=0.35, worst=0.55),
        _falling(alike, best=0.0, worst=0.5),
    )
    return value, f"{repeated:.0%} of three-word runs repeated, {distinct:.0%} of words distinct"


def _falling(value: float, *, best: float, worst: float) -> float:
    return min(max((worst - value) / (worst - best), 0.0), 1.0)
