"""What a provider said: bodies that are read whatever their form, and text that can be kept (UTF-8, PostgreSQL)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

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


def json_body(body: bytes) -> object:
    """Return what a body of JSON says; bytes that are no UTF-8 are replaced, a byte order mark is passed over.

    Raises:
        ValueError: it is no JSON, or nested too deeply to be read.
    """
    try:
        found: object = json.loads(text_of(body))
    except RecursionError as error:
        raise ValueError("expected JSON of some levels, got thousands") from error
    return found


def text_of(body: bytes) -> str:
    """Return a body as text."""
    return body.decode("utf-8-sig", "replace")


def mapping_in(said: object) -> Mapping[object, object]:
    """Return an object of JSON, also where it is wrapped in a list; an empty one for anything else."""
    if isinstance(said, list):
        return next((each for each in said if isinstance(each, Mapping)), {})
    return said if isinstance(said, Mapping) else {}
