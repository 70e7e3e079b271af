"""What a provider said, as text that can be kept: in UTF-8, in PostgreSQL, in a line of a log."""

from __future__ import annotations

import re

MAX_NAME = 200  # of a model, an id, a reason: what is longer is no name

# lone halves of surrogate pairs have no UTF-8, NUL is refused by PostgreSQL, the other controls say nothing
_UNUSABLE = re.compile(r"[\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def clean_text(said: str, most: int | None = None) -> str:
    """Return a text without lone surrogates and control characters but tab and line ends, cut to `most` characters.

    Two halves of a pair that came apart are one character again.
    """
    if not said.isascii():
        said = said.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return _UNUSABLE.sub("", said)[:most]


def clean_name(said: object) -> str:
    """Return a name in one line without blanks around; empty for what is no text or number."""
    if isinstance(said, bool) or not isinstance(said, str | int | float):
        return ""
    try:
        return " ".join(clean_text(str(said)[: 4 * MAX_NAME]).split())[:MAX_NAME]
    except ValueError:  # an integer of more digits than Python writes out
        return ""
