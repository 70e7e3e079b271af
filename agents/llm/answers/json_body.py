"""JSON bodies as servers send them, read without ever failing for their form but by `ValueError`."""

from __future__ import annotations

import json
from collections.abc import Mapping


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
