"""What is remembered of one partition: the newest decisions, and by persona the accepted drafts among them."""

from __future__ import annotations

from collections.abc import Iterable

from agents.deduplication.accepted_drafts import AcceptedDrafts
from agents.deduplication.decisions import Kept, decoded

MAX_KEPT = 20_000
"""Decisions remembered for each partition, about 1 kB each; a draft is compared with the accepted ones among them."""

Change = tuple[bytes, bytes | None]


class PartitionMemory:
    """The decisions on the drafts of one partition, the newest `limit` of them."""

    def __init__(self, dimensions: int, restored: Iterable[tuple[bytes, bytes]] = (), *, limit: int = MAX_KEPT) -> None:
        self._dimensions = dimensions
        self._limit = limit
        self._kept: dict[str, Kept] = {}
        self._accepted: dict[str, AcceptedDrafts] = {}
        for kept in sorted((decoded(key, value) for key, value in restored), key=lambda each: each.offset):
            self._put(kept)

    def find(self, draft_id: str) -> Kept | None:
        """Return the decision on a draft; None when it is unknown."""
        return self._kept.get(draft_id)

    def accepted_of(self, persona_id: str) -> AcceptedDrafts:
        """Return the accepted drafts of a persona."""
        return self._accepted.setdefault(persona_id, AcceptedDrafts(self._dimensions))

    def remember(self, kept: Kept) -> list[Change]:
        """Remember a decision; return the changes of state, tombstones of the oldest included."""
        self._put(kept)
        changes: list[Change] = [(kept.key, kept.encode())]
        while len(self._kept) > self._limit:
            oldest = next(iter(self._kept.values()))
            self._remove(oldest)
            changes.append((oldest.key, None))
        return changes

    def _put(self, kept: Kept) -> None:
        before = self._kept.get(kept.draft_id)
        if before is not None:
            self._remove(before)
        self._kept[kept.draft_id] = kept
        if kept.vector is not None:
            self.accepted_of(kept.persona_id).put(kept.draft_id, kept.text_hash, kept.vector)

    def _remove(self, kept: Kept) -> None:
        del self._kept[kept.draft_id]
        self.accepted_of(kept.persona_id).remove(kept.draft_id)
