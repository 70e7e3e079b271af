"""The accepted drafts of one persona, searchable by text and by meaning."""

from __future__ import annotations

import numpy as np

from agents.deduplication.embedding import Vectors
from schemas.records import NearDuplicate

_FIRST_CAPACITY = 16


class AcceptedDrafts:
    """Draft ids with their text hash and unit vector; search is exact, one matrix product."""

    def __init__(self, dimensions: int) -> None:
        self._ids: list[str] = []
        self._hashes: dict[str, str] = {}
        self._matrix: Vectors = np.empty((_FIRST_CAPACITY, dimensions), dtype=np.float32)

    def __len__(self) -> int:
        """Return how many drafts there are."""
        return len(self._ids)

    def put(self, draft_id: str, text_hash: str, vector: Vectors) -> None:
        """Add a draft, in place of an earlier text of the same draft."""
        self.remove(draft_id)
        if len(self._ids) == len(self._matrix):
            self._matrix = np.concatenate([self._matrix, np.empty_like(self._matrix)])
        self._matrix[len(self._ids)] = vector
        self._ids.append(draft_id)
        self._hashes[draft_id] = text_hash

    def remove(self, draft_id: str) -> None:
        """Remove a draft, if it is there."""
        if self._hashes.pop(draft_id, None) is None:
            return
        place, last = self._ids.index(draft_id), len(self._ids) - 1
        self._ids[place] = self._ids[last]
        self._matrix[place] = self._matrix[last]
        self._ids.pop()

    def nearest(self, draft_id: str, text_hash: str, vector: Vectors) -> NearDuplicate | None:
        """Return the accepted draft that a text is nearest to, itself apart; None where there is no other.

        The same normalised text has similarity 1; else it is the cosine of the vectors, in [-1, 1].
        """
        for other, other_hash in self._hashes.items():
            if other_hash == text_hash and other != draft_id:
                return NearDuplicate(draft_id=other, similarity=1.0)
        similarities = self._matrix[: len(self._ids)] @ vector
        if draft_id in self._hashes:
            similarities[self._ids.index(draft_id)] = -np.inf
        if not len(similarities) or not np.isfinite(similarities.max()):
            return None
        best = int(similarities.argmax())
        return NearDuplicate(draft_id=self._ids[best], similarity=round(float(similarities[best]), 6))
