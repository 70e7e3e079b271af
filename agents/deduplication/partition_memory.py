"""What is remembered of one partition: the newest decisions over all personas, and the accepted texts among them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from agents.deduplication.accepted_drafts import AcceptedDrafts, Nearest, Resemblance, Wording
from agents.deduplication.verdict import Verdict
from agents.embedding.embedding import Vectors
from schemas.records import NearDuplicate

MAX_KEPT = 20_000
"""Decisions remembered for a partition; a draft is compared with the accepted ones among them."""
Change = tuple[bytes, bytes | None]


@dataclass(frozen=True, slots=True)
class Kept:
    """The decision on one wording. `vector` is there for an accepted one, shape (dimensions,), made by `model`.

    `sequence` counts the decisions in the order in which they were made.
    """

    wording: Wording
    sequence: int
    decided_at: datetime
    verdict: Verdict
    model: str
    vector: Vectors | None = None

    @property
    def key(self) -> bytes:
        """Return the key in the state."""
        return self.wording.key.encode()

    def encode(self) -> bytes:
        """Return the value in the state: JSON, the vector as base64 of little-endian float16."""
        near = self.verdict.near_duplicate
        fields = {
            "draft_id": self.wording.draft_id,
            "persona_id": self.wording.persona_id,
            "text_hash": self.wording.text_hash,
            "negations": self.wording.negations,
            "sequence": self.sequence,
            "decided_at": self.decided_at.isoformat(),
            "decision": self.verdict.decision,
            "reasons": self.verdict.reasons,
            "near_duplicate": [near.draft_id, near.similarity] if near else None,
            "model": self.model,
            "vector": None if self.vector is None else base64.b64encode(self.vector.astype("<f2").tobytes()).decode(),
        }
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def decoded(value: bytes) -> Kept:
    """Return what `encode` wrote."""
    fields = json.loads(value)
    near, vector = fields["near_duplicate"], fields["vector"]
    return Kept(
        wording=Wording(fields["draft_id"], fields["persona_id"], fields["text_hash"], fields["negations"]),
        sequence=fields["sequence"],
        decided_at=datetime.fromisoformat(fields["decided_at"]),
        verdict=Verdict(
            decision=fields["decision"],
            reasons=tuple(fields["reasons"]),
            near_duplicate=NearDuplicate(draft_id=near[0], similarity=near[1]) if near else None,
        ),
        model=fields["model"],
        vector=None if vector is None else np.frombuffer(base64.b64decode(vector), dtype="<f2").astype(np.float32),
    )


class ExactTexts:
    """Finds an accepted draft with the same text: a look-up, however many there are."""

    def __init__(self) -> None:
        self._by_hash: dict[str, dict[str, Wording]] = {}

    def put(self, wording: Wording) -> None:
        """Add a wording."""
        self._by_hash.setdefault(wording.text_hash, {})[wording.key] = wording

    def remove(self, wording: Wording) -> None:
        """Remove a wording, if it is there."""
        alike = self._by_hash.get(wording.text_hash, {})
        alike.pop(wording.key, None)
        if not alike:
            self._by_hash.pop(wording.text_hash, None)

    def same_as(self, wording: Wording) -> Resemblance | None:
        """Return another draft with the same text, one of the same persona first; None where there is none."""
        others = [
            each for each in self._by_hash.get(wording.text_hash, {}).values() if each.draft_id != wording.draft_id
        ]
        if not others:
            return None
        found = next((each for each in others if each.persona_id == wording.persona_id), others[0])
        return Resemblance(found.draft_id, found.persona_id, 1.0)


class PartitionMemory:
    """The decisions on the drafts of one partition, the newest `limit` of them.

    Vectors that another model made are of no use: `foreign_vectors` counts those that were left behind. Such a text is
    compared by its hash until it comes again and is embedded anew.

    `by_negations` keeps texts that deny more or less often apart: they claim something else and are not compared.
    """

    def __init__(
        self,
        model: str,
        dimensions: int,
        restored: Iterable[tuple[bytes, bytes]] = (),
        *,
        by_negations: bool,
        limit: int = MAX_KEPT,
    ) -> None:
        self._model = model
        self._dimensions = dimensions
        self._by_negations = by_negations
        self._limit = limit
        self._kept: dict[str, Kept] = {}
        self._exact = ExactTexts()
        self._accepted: dict[int, AcceptedDrafts] = {}
        self._next_sequence = 0
        self.foreign_vectors = 0
        for kept in sorted((decoded(value) for _, value in restored), key=lambda each: each.sequence):
            self._next_sequence = kept.sequence + 1
            self._put(kept)

    def __len__(self) -> int:
        """Return how many decisions there are."""
        return len(self._kept)

    def find(self, wording: Wording) -> Kept | None:
        """Return the decision on a wording, with its vector; None when it is unknown."""
        kept = self._kept.get(wording.key)
        return None if kept is None else replace(kept, vector=self._comparable(wording).vector_of(wording))

    def lacks_vector(self, wording: Wording) -> bool:
        """Tell whether a wording is accepted and its vector is missing or unknown, so that it has to be embedded."""
        kept = self._kept.get(wording.key)
        if kept is None:
            return True
        return kept.verdict.decision == "accepted" and self._comparable(wording).vector_of(wording) is None

    def same_text(self, wording: Wording) -> Resemblance | None:
        """Return an accepted draft with the same text."""
        return self._exact.same_as(wording)

    def nearest(self, wording: Wording, vector: Vectors) -> Nearest:
        """Return the accepted drafts that a text is nearest to."""
        return self._comparable(wording).nearest(wording, vector)

    def _comparable(self, wording: Wording) -> AcceptedDrafts:
        """Return the accepted drafts that a wording may be compared with."""
        group = wording.negations if self._by_negations else 0
        if group not in self._accepted:
            self._accepted[group] = AcceptedDrafts(self._dimensions)
        return self._accepted[group]

    def remember(
        self, wording: Wording, verdict: Verdict, decided_at: datetime, vector: Vectors | None
    ) -> tuple[Kept, list[Change]]:
        """Remember a decision; return it and the changes of state, tombstones of the oldest included."""
        kept = Kept(wording, self._next_sequence, decided_at, verdict, self._model, vector)
        self._next_sequence += 1
        self._put(kept)
        changes: list[Change] = [(kept.key, kept.encode())]
        while len(self._kept) > self._limit:
            oldest = next(iter(self._kept.values()))
            self._remove(oldest)
            changes.append((oldest.key, None))
        return kept, changes

    def embed_again(self, kept: Kept, vector: Vectors) -> tuple[Kept, list[Change]]:
        """Give an accepted wording the vector of the present model; the decision stays as it is."""
        renewed = replace(kept, model=self._model, vector=vector)
        self._put(renewed)
        return renewed, [(renewed.key, renewed.encode())]

    def _put(self, kept: Kept) -> None:
        self._kept[kept.wording.key] = replace(kept, vector=None)  # the matrix has it
        if kept.verdict.decision != "accepted":
            return
        self._exact.put(kept.wording)
        if kept.vector is None or kept.model != self._model:
            self.foreign_vectors += 1
        else:
            self._comparable(kept.wording).put(kept.wording, kept.vector)

    def _remove(self, kept: Kept) -> None:
        del self._kept[kept.wording.key]
        self._exact.remove(kept.wording)
        self._comparable(kept.wording).remove(kept.wording)
