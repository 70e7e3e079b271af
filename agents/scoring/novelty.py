"""Novelty: how little a draft repeats of what its persona said lately, and what the personas of a partition said."""

from __future__ import annotations

import json
import zlib
from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from agents.scoring.words import words_of
from schemas.records import DraftGenerated

Grams = NDArray[np.uint32]

LATELY = 20
"""Drafts of a persona that a new one is compared with."""

_STEM_LETTERS = 5  # so that inflected forms of a word meet
NOTHING_SAID = (1.0, "nothing was said lately")
MAX_KEPT = 10_000
"""Drafts of a partition whose novelty is kept, the newest."""
Change = tuple[bytes, bytes | None]


def grams_of(text: str) -> Grams:
    """Return the distinct stems and pairs of stems of a text as sorted hashes, shape (grams,), for `novelty`."""
    stems = [word[:_STEM_LETTERS] for word in words_of(text)]
    pairs = [f"{first} {second}" for first, second in pairwise(stems)]
    return np.unique(np.fromiter((zlib.crc32(gram.encode()) for gram in stems + pairs), np.uint32))


def novelty(grams: Grams, lately: Sequence[Grams]) -> tuple[float, str]:
    """Return 1 - the greatest similarity to what was said lately, in [0, 1], and why.

    Similarity is the share of grams in common of all grams of both (Jaccard).
    """
    if not lately or not grams.size:
        return NOTHING_SAID
    joined = np.concatenate(lately)
    sizes = np.array([each.size for each in lately])
    places = np.minimum(np.searchsorted(grams, joined), grams.size - 1)
    found = (grams[places] == joined).astype(np.int64)
    ends = np.cumsum(sizes)
    running = np.concatenate(([0], np.cumsum(found)))
    common = running[ends] - running[ends - sizes]
    greatest = float(np.max(common / (grams.size + sizes - common)))
    return 1.0 - greatest, f"at most {greatest:.0%} in common with one of the last {len(lately)} posts"


@dataclass(frozen=True, slots=True)
class Judged:
    """How new a draft was, and at which offset that was found; `text` is there if the draft passed."""

    draft_id: str
    persona_id: str
    offset: int
    digest: str
    novelty: tuple[float, str]
    text: str | None

    @property
    def key(self) -> bytes:
        """Return the key in the state."""
        return self.draft_id.encode()

    def encode(self) -> bytes:
        """Return the value in the state: JSON."""
        fields = [self.draft_id, self.persona_id, self.offset, self.digest, *self.novelty, self.text]
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def decoded(value: bytes) -> Judged:
    """Return what `encode` wrote."""
    draft_id, persona_id, offset, digest, new, reason, text = json.loads(value)
    return Judged(draft_id, persona_id, offset, digest, (new, reason), text)


@dataclass(frozen=True, slots=True, order=True)
class _Said:
    offset: int
    draft_id: str
    grams: Grams = field(compare=False)


class SaidLately:
    """The newest `limit` drafts of a partition, and of each persona the texts of the last 20 that passed.

    A draft is compared with those before it only, by offset, and never with itself; one that comes again with the same
    text is as new as it was the first time. So a replay finds the same.
    """

    def __init__(self, restored: Iterable[tuple[bytes, bytes]] = (), *, limit: int = MAX_KEPT) -> None:
        self._limit = limit
        self._judged: dict[str, Judged] = {}  # in the order of their offsets; the texts are in `_said`
        self._said: dict[str, list[_Said]] = {}
        for judged in sorted((decoded(value) for _, value in restored), key=lambda each: each.offset):
            self._put(judged)

    def novelty_of(self, draft: DraftGenerated, offset: int) -> tuple[float, str]:
        """Return how new a draft at an offset is, and why; as it was found first where the draft is known."""
        known = self._judged.get(draft.draft_id)
        if known is not None and known.digest == _digest(draft.text):
            return known.novelty
        said = self._said.get(draft.persona_id, [])
        before = [each.grams for each in said if each.offset < offset and each.draft_id != draft.draft_id]
        value, reason = novelty(grams_of(draft.text), before)
        return round(value, 6), reason

    def remember(self, draft: DraftGenerated, offset: int, new: tuple[float, str], *, passed: bool) -> list[Change]:
        """Remember a draft; return the changes of state, tombstones of the oldest included, none for a known one."""
        known = self._judged.get(draft.draft_id)
        if known is not None and known.digest == _digest(draft.text):
            return []
        if len(self._judged) >= self._limit and offset < next(iter(self._judged.values())).offset:
            return []  # older than all that is kept
        text = draft.text if passed else None
        judged = Judged(draft.draft_id, draft.persona_id, offset, _digest(draft.text), new, text)
        self._put(judged)
        changes: list[Change] = [(judged.key, judged.encode())]
        while len(self._judged) > self._limit:
            oldest = next(iter(self._judged.values()))
            self._forget(oldest)
            changes.append((oldest.key, None))
        return changes

    def _forget(self, judged: Judged) -> None:
        """Forget a draft, its text too: memory must not know what a restart would not."""
        del self._judged[judged.draft_id]
        self._unsay(judged)

    def _unsay(self, judged: Judged) -> list[_Said]:
        said = [each for each in self._said.get(judged.persona_id, []) if each.draft_id != judged.draft_id]
        self._said[judged.persona_id] = said
        return said

    def _put(self, judged: Judged) -> None:
        self._judged.pop(judged.draft_id, None)
        self._judged[judged.draft_id] = replace(judged, text=None)
        said = self._unsay(judged)
        if judged.text is not None:
            insort(said, _Said(judged.offset, judged.draft_id, grams_of(judged.text)))
        self._said[judged.persona_id] = said[-LATELY:]


def _digest(text: str) -> str:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()
