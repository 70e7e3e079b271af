"""Novelty: how little a draft repeats of what its persona said lately."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from agents.scoring.words import words_of

Grams = NDArray[np.uint32]

LATELY = 20
"""Drafts of a persona that a new one is compared with."""

_STEM_LETTERS = 5  # so that inflected forms of a word meet
NOTHING_SAID = (1.0, "nothing was said lately")


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
