"""Embeddings of texts: unit vectors whose dot product is their similarity, and the contract of what makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agents.llm.answers.reply import Usage

Vectors = NDArray[np.float32]


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
