"""Hashed n-grams: which runs of words and of characters a hook has, as places in a table of weights.

Feature hashing (Weinberger et al., 2009): no vocabulary is kept, so a model holds no text of the tests it learned from.
All texts of a call are hashed together in NumPy: some microseconds each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.learning.evidence.headline_tests import Floats, Indexes

TABLE_BITS = 18
PLACES = 1 << TABLE_BITS
WORD_RUNS = (1, 2, 3)
CHARACTER_RUNS = (2, 3, 4, 5)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_FOLD = np.uint64(29)
_TOP = np.uint64(64 - TABLE_BITS)
_TOKEN = re.compile(r"\w[\w']*|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Runs:
    """A sparse matrix, texts by places of the table: row, place and value of each entry; each text has length 1."""

    rows: Indexes
    places: Indexes
    values: Floats
    texts: int

    def times(self, weights: Floats) -> Floats:
        """Return the sum of each text's weights, shape (texts,)."""
        return np.asarray(np.bincount(self.rows, self.values * weights[self.places], self.texts), dtype=np.float64)

    def gathered(self, scores: Floats) -> Floats:
        """Return what the texts' scores come to at each place, shape (PLACES,)."""
        return np.asarray(np.bincount(self.places, self.values * scores[self.rows], PLACES), dtype=np.float64)


def words_of(text: str) -> list[str]:
    """Return the words and signs of a text, lower case."""
    return _TOKEN.findall(text.lower().replace("’", "'"))


def word_runs(texts: Sequence[str]) -> Runs:
    """Return the runs of one to three words and signs of each text."""
    tokens = [words_of(text) for text in texts]
    known: dict[str, int] = {}
    flat = np.array([known.setdefault(word, len(known)) for each in tokens for word in each], dtype=np.int64)
    codes = np.array([_hash_of(word) for word in known], dtype=np.uint64)[flat]
    return _runs(codes, np.repeat(np.arange(len(texts)), list(map(len, tokens))), WORD_RUNS, len(texts))


def character_runs(texts: Sequence[str]) -> Runs:
    """Return the runs of two to five characters of each text, upper and lower case apart."""
    padded = [f" {' '.join(text.split())} " for text in texts]
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    rows = np.repeat(np.arange(len(texts)), list(map(len, padded)))
    return _runs(codes, rows, CHARACTER_RUNS, len(texts))


def place_of(words: Sequence[str]) -> int:
    """Return the place of one run of words."""
    return int(_places(np.array([_hash_of(word) for word in words], dtype=np.uint64), len(words))[0])


def _hash_of(word: str) -> int:
    value = len(word)
    for character in word:
        value = ((value ^ ord(character)) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def _runs(codes: NDArray[np.uint64], rows: Indexes, lengths: Sequence[int], texts: int) -> Runs:
    """Return each text's runs by 1 + ln(count); those that reach into the next text are no runs."""
    keys = []
    for length in lengths:
        count = max(len(codes) - length + 1, 0)
        whole = rows[:count] == rows[length - 1 : length - 1 + count]
        keys.append((rows[:count][whole] << TABLE_BITS) | _places(codes, length)[whole])
    found, counts = np.unique(np.concatenate(keys), return_counts=True)
    found_rows, values = found >> TABLE_BITS, 1 + np.log(counts)
    length_of = np.sqrt(np.bincount(found_rows, values**2, minlength=texts))
    return Runs(found_rows, found & (PLACES - 1), values / length_of[found_rows], texts)


def _places(codes: NDArray[np.uint64], length: int) -> Indexes:
    count = max(len(codes) - length + 1, 0)
    value = np.full(count, length, dtype=np.uint64)
    for step in range(length):
        value = (value ^ codes[step : step + count]) * _MULTIPLIER
        value ^= value >> _FOLD
    return ((value * _MIX) >> _TOP).astype(np.int64)
