"""The accepted wordings by the hash of their text."""

from __future__ import annotations

from agents.deduplication.wording import Resemblance, Wording


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
