"""Wordings of drafts as they are compared, and the vectors of accepted ones, searchable by one matrix product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.embedding.embedding import Vectors, negations, text_hash
from schemas.records import DraftGenerated

_FIRST_CAPACITY = 16
_ROUNDING = 1e-5  # more than a product of a whole matrix may differ from that of one row
_DECIMALS = 6
_Chosen = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Wording:
    """One text of a draft. A draft that is rewritten has several, which are never compared with each other."""

    draft_id: str
    persona_id: str
    text_hash: str
    negations: int

    @property
    def key(self) -> str:
        """Return what names the wording among all."""
        return f"{self.draft_id}#{self.text_hash}"


def wording_of(draft: DraftGenerated) -> Wording:
    """Return the wording of a draft."""
    return Wording(draft.draft_id, draft.persona_id, text_hash(draft.text), negations(draft.text))


@dataclass(frozen=True, slots=True)
class Resemblance:
    """An accepted draft that a text resembles: 1 for the same normalised text, else the cosine, in [-1, 1]."""

    draft_id: str
    persona_id: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearest accepted draft of the own persona, and that of all others; None where there is none."""

    own: Resemblance | None = None
    other: Resemblance | None = None


class AcceptedDrafts:
    """Wordings with unit vectors, row by row, and beside them the number of the persona.

    Search is exact. Adding and removing take the time of one row: the last one takes the place of a removed one.
    """

    def __init__(self, dimensions: int) -> None:
        self._wordings: list[Wording] = []
        self._places: dict[str, int] = {}
        self._of_draft: dict[str, list[str]] = {}
        self._persona_numbers: dict[str, int] = {}
        self._matrix: Vectors = np.empty((_FIRST_CAPACITY, dimensions), dtype=np.float32)
        self._personas = np.empty(_FIRST_CAPACITY, dtype=np.int32)

    def __len__(self) -> int:
        """Return how many wordings there are."""
        return len(self._wordings)

    def put(self, wording: Wording, vector: Vectors) -> None:
        """Add a wording, in place of an earlier vector of the same."""
        place = self._places.get(wording.key)
        if place is None:
            place = self._append(wording)
        self._matrix[place] = vector

    def _append(self, wording: Wording) -> int:
        place = len(self._wordings)
        if place == len(self._matrix):
            self._matrix = np.concatenate([self._matrix, np.empty_like(self._matrix)])
            self._personas = np.concatenate([self._personas, np.empty_like(self._personas)])
        self._wordings.append(wording)
        self._places[wording.key] = place
        self._of_draft.setdefault(wording.draft_id, []).append(wording.key)
        self._personas[place] = self._persona_numbers.setdefault(wording.persona_id, len(self._persona_numbers))
        return place

    def remove(self, wording: Wording) -> None:
        """Remove a wording, if it is there."""
        place = self._places.pop(wording.key, None)
        if place is None:
            return
        siblings = self._of_draft[wording.draft_id]
        siblings.remove(wording.key)
        if not siblings:
            del self._of_draft[wording.draft_id]
        last = len(self._wordings) - 1
        if place != last:
            self._wordings[place] = self._wordings[last]
            self._places[self._wordings[place].key] = place
            self._matrix[place] = self._matrix[last]
            self._personas[place] = self._personas[last]
        self._wordings.pop()

    def vector_of(self, wording: Wording) -> Vectors | None:
        """Return the vector of a wording; None where there is none."""
        place = self._places.get(wording.key)
        return None if place is None else self._matrix[place].copy()

    def nearest(self, wording: Wording, vector: Vectors) -> Nearest:
        """Return what a text is nearest to, other wordings of its own draft apart."""
        count = len(self._wordings)
        similarities = self._matrix[:count] @ vector
        for key in self._of_draft.get(wording.draft_id, ()):
            similarities[self._places[key]] = -np.inf
        own = self._personas[:count] == self._persona_numbers.get(wording.persona_id, -1)
        return Nearest(self._best(similarities, own, vector), self._best(similarities, ~own, vector))

    def _best(self, similarities: Vectors, chosen: _Chosen, vector: Vectors) -> Resemblance | None:
        """Return the best of the chosen rows, the same one in whatever order the rows stand."""
        among = np.where(chosen, similarities, -np.inf)
        if not len(among) or not np.isfinite(top := among.max()):
            return None
        near = [
            (-round(float(self._matrix[place] @ vector), _DECIMALS), self._wordings[place])
            for place in np.flatnonzero(among >= top - _ROUNDING)
        ]
        negative, found = min(near, key=lambda each: (each[0], each[1].key))
        return Resemblance(found.draft_id, found.persona_id, -negative)
