"""Seen drafts: a draft counts once, though its event may be written twice when an agent starts again."""

from __future__ import annotations

HORIZON_OFFSETS = 100_000  # of a partition, about 10 MB; drafts are written at the speed of language models


class SeenDrafts:
    """The draft ids of the last `horizon` offsets of one partition, each with the offset where it was counted.

    The id's own offset is kept, so a record that comes again after a crash is still the one that counts.
    """

    def __init__(self, horizon: int = HORIZON_OFFSETS) -> None:
        self._horizon = horizon
        self._offsets: dict[str, int] = {}
        self._changed: dict[str, int | None] = {}

    def restore(self, items: list[tuple[str, int]]) -> None:
        """Take over ids with their offsets, in any order."""
        self._offsets = dict(sorted(items, key=lambda item: item[1]))

    def counts(self, draft_id: str, offset: int) -> bool:
        """Tell whether the record at `offset` is the one that counts, and remember it."""
        counted_at = self._offsets.get(draft_id)
        if counted_at is not None and counted_at < offset <= counted_at + self._horizon:
            return False
        if counted_at is None or counted_at < offset:
            self._offsets.pop(draft_id, None)  # to the end: the dict is in the order of offsets
            self._offsets[draft_id] = self._changed[draft_id] = offset
            self._forget_before(offset - self._horizon)
        return True

    def changes(self) -> list[tuple[str, int | None]]:
        """Return the ids that came (with their offsets) or went (None) since the last call."""
        changed = list(self._changed.items())
        self._changed.clear()
        return changed

    def _forget_before(self, first_offset: int) -> None:
        while self._offsets:
            draft_id, offset = next(iter(self._offsets.items()))
            if offset >= first_offset:
                return
            del self._offsets[draft_id]
            self._changed[draft_id] = None
