"""The text as it counts for exact duplicates: case, signs, emoji and blanks make no difference."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_NO_WORD = re.compile(r"[\W_]+")


def normalised(text: str) -> str:
    """Return the words of a text in one form: NFKC, case folded, single blanks."""
    return _NO_WORD.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def text_hash(text: str) -> str:
    """Return the hash of the normalised text: 32 hex digits of SHA-256. A text without words is hashed as it is."""
    return hashlib.sha256((normalised(text) or text).encode()).hexdigest()[:32]
