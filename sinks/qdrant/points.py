"""Points: what of an accepted draft goes into the vector store, and into which collection."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from uuid import UUID

from schemas.records import DraftDecided
from streams.errors import RecordFault
from streams.identity import derived_id

MAX_VECTOR_SIZE = 65_535  # Qdrant's own limit
_MAX_SLUG = 80
_NOT_SLUG = re.compile(r"[^a-z0-9]+")

PayloadValue = str | float | None


@dataclass(frozen=True, slots=True)
class Collection:
    """The points of one embedding model: vectors of different models or sizes are never compared."""

    name: str
    vector_size: int


@dataclass(frozen=True, slots=True)
class DraftPoint:
    """An accepted draft: `point_id` is a UUID as text, `vector` its embedding, of unit length in the store."""

    point_id: str
    vector: tuple[float, ...]
    payload: dict[str, PayloadValue]


def point_of(decided: DraftDecided) -> DraftPoint:
    """Return the point of an accepted draft.

    Raises:
        RecordFault: its embedding is missing, too long, all zeros or not finite.
    """
    draft, vector = decided.draft, decided.embedding
    if not 0 < len(vector) <= MAX_VECTOR_SIZE:
        raise RecordFault(
            f"expected an embedding of 1 to {MAX_VECTOR_SIZE:,} numbers, got {len(vector):,} "
            f"(model {decided.embedding_model!r}); send the draft with its embedding"
        )
    if not all(map(math.isfinite, vector)) or not any(vector):
        raise RecordFault("expected an embedding of finite numbers, not all zero; embed the draft again")
    return DraftPoint(
        point_id(draft.draft_id),
        vector,
        {
            "draft_id": draft.draft_id,
            "persona_id": draft.persona_id,
            "text": draft.text,
            "model": draft.model,
            "embedding_model": decided.embedding_model,
            "score": decided.quality.score if math.isfinite(decided.quality.score) else None,
            "occurred_at": decided.occurred_at.isoformat(timespec="milliseconds"),
        },
    )


def point_id(draft_id: str) -> str:
    """Return the draft's id where it is a UUID, as our agents make it, else a UUID derived from it."""
    try:
        return str(UUID(draft_id))
    except ValueError:
        return derived_id("qdrant point", draft_id)


def collection_of(embedding_model: str, vector_size: int) -> Collection:
    """Return the collection of a model's vectors; its name holds the model's, and differs from any other's."""
    slug = _NOT_SLUG.sub("-", embedding_model.lower()).strip("-")[:_MAX_SLUG]
    if slug != embedding_model:
        slug += "-" + hashlib.sha256(embedding_model.encode()).hexdigest()[:8]
    return Collection(f"drafts-{slug}-{vector_size}", vector_size)
