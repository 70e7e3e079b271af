"""Texts as they are compared: normalised, or as unit vectors, and the contract of what makes these."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import yaml
from numpy.typing import NDArray

from agents.llm.answers.reply import Usage

Vectors = NDArray[np.float32]
_NO_WORD = re.compile(r"[\W_]+")
_WORDS = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_CONTRACTED = ("n't", "n’t")


@dataclass(frozen=True, slots=True)
class Embedded:
    """A row a text: float32 of length 1, rounded to what float16 holds, shape (texts, dimensions).

    `usage` and `latency_ms` are those of a call that is paid for, `billed_as` the model as the provider names it; all
    of them are empty for what is computed here.
    """

    vectors: Vectors
    usage: Usage | None = None
    billed_as: str = ""
    latency_ms: int = 0


class Embedder(Protocol):
    """Turns texts into vectors; `model` names what made them, `dimensions` their length.

    `blind_to_negation`: "I do" and "I do not" come out alike, so texts that deny differently must not be compared.
    """

    model: str
    dimensions: int
    blind_to_negation: bool

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """Return the vectors of some texts.

        Raises:
            Unavailable: the server that makes them is away: the same call may be made again.
            RecordFault: the server refuses one of the texts.
        """

    async def close(self) -> None:
        """Release what it holds."""


def unit_rows(vectors: Vectors) -> Vectors:
    """Return the rows at length 1, rounded to float16, so that what is restored from state compares as it did before.

    A row of zeros, of a text without anything that counts, stays one: it resembles nothing.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1.0)).astype(np.float16).astype(np.float32)


def normalised(text: str) -> str:
    """Return the words of a text in one form: NFKC, case folded, single blanks."""
    return _NO_WORD.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def text_hash(text: str) -> str:
    """Return the hash of the normalised text: 32 hex digits of SHA-256. A text without words is hashed as it is."""
    return hashlib.sha256((normalised(text) or text).encode()).hexdigest()[:32]


def negations(text: str) -> int:
    """Return the number of words in a text that deny: not, kein, nunca, не and the like, with isn't and won't."""
    words = _WORDS.findall(unicodedata.normalize("NFKC", text).casefold())
    return sum(word in _denying() or word.endswith(_CONTRACTED) for word in words)


@lru_cache(maxsize=1)
def _denying() -> frozenset[str]:
    by_language = yaml.safe_load(Path(__file__).with_name("negations.yaml").read_text(encoding="utf-8"))
    return frozenset(word for words in by_language.values() for word in words)
