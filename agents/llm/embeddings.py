"""Embeddings as a provider answers them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from openai.types import CreateEmbeddingResponse

from agents.llm.reply import Usage


@dataclass(frozen=True, slots=True)
class Embeddings:
    """A row a text: float32, shape (texts, dimensions), as the provider scales them; the model as it names it."""

    vectors: NDArray[np.float32]
    model: str
    usage: Usage


def embeddings_of(answer: CreateEmbeddingResponse, texts: int) -> Embeddings:
    """Return the vectors in the order of the texts.

    Raises:
        ValueError: the answer does not have one vector for each text, all of one length.
    """
    rows = {each.index: each.embedding for each in answer.data}
    if sorted(rows) != list(range(texts)):
        raise ValueError(f"expected {texts} embeddings, got {len(rows)}")
    vectors = np.array([rows[place] for place in range(texts)], dtype=np.float32)
    return Embeddings(vectors, answer.model, Usage(prompt_tokens=answer.usage.prompt_tokens or 0))


def joined(parts: Sequence[Embeddings], model: str) -> Embeddings:
    """Return the answers of several calls as one."""
    if not parts:
        return Embeddings(np.empty((0, 0), dtype=np.float32), model, Usage())
    tokens = sum(each.usage.prompt_tokens for each in parts)
    vectors = np.concatenate([each.vectors for each in parts])
    return Embeddings(vectors, parts[0].model, Usage(prompt_tokens=tokens))
