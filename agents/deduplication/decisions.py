"""Decisions as they are kept: what a wording was decided, and the vector of an accepted one."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from agents.deduplication.verdict import Verdict
from agents.deduplication.wording import Wording
from agents.embedding.embedding import Vectors
from schemas.records import NearDuplicate


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
