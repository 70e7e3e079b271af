"""Decisions as they are kept: what a draft was decided, and the vector of an accepted one."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from agents.deduplication.embedding import Vectors
from schemas.records import Decision, NearDuplicate


@dataclass(frozen=True, slots=True)
class Kept:
    """The decision on one draft of a persona. `vector` is there for an accepted draft, shape (dimensions,).

    `offset` is where the draft stood in its partition: the order in which drafts were decided.
    """

    draft_id: str
    persona_id: str
    text_hash: str
    offset: int
    decided_at: datetime
    decision: Decision
    reasons: tuple[str, ...] = ()
    near_duplicate: NearDuplicate | None = None
    vector: Vectors | None = None

    @property
    def key(self) -> bytes:
        """Return the key in the state."""
        return self.draft_id.encode()

    def encode(self) -> bytes:
        """Return the value in the state: JSON, the vector as base64 of little-endian float16."""
        near = self.near_duplicate
        fields = {
            "persona_id": self.persona_id,
            "text_hash": self.text_hash,
            "offset": self.offset,
            "decided_at": self.decided_at.isoformat(),
            "decision": self.decision,
            "reasons": self.reasons,
            "near_duplicate": [near.draft_id, near.similarity] if near else None,
            "vector": None if self.vector is None else base64.b64encode(self.vector.astype("<f2").tobytes()).decode(),
        }
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def decoded(key: bytes, value: bytes) -> Kept:
    """Return what `encode` wrote."""
    fields = json.loads(value)
    near, vector = fields["near_duplicate"], fields["vector"]
    return Kept(
        draft_id=key.decode(),
        persona_id=fields["persona_id"],
        text_hash=fields["text_hash"],
        offset=fields["offset"],
        decided_at=datetime.fromisoformat(fields["decided_at"]),
        decision=fields["decision"],
        reasons=tuple(fields["reasons"]),
        near_duplicate=NearDuplicate(draft_id=near[0], similarity=near[1]) if near else None,
        vector=None if vector is None else np.frombuffer(base64.b64decode(vector), dtype="<f2").astype(np.float32),
    )
