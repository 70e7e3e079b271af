"""A text of a draft as it is compared: whose it is, its hash, and how often it denies."""

from __future__ import annotations

from dataclasses import dataclass

from agents.embedding.normalised_text import negations, text_hash
from schemas.records import DraftGenerated


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
