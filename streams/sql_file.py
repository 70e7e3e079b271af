"""SQL files: the SQL lives in .sql files beside the code, each statement under a line `-- name: NAME`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def read_statements(package: str, *path: str) -> Mapping[str, bytes]:
    """Return the named statements of a file in a package, as bytes (psycopg takes them as they are)."""
    return parse_statements(files(package).joinpath(*path).read_text(encoding="utf-8"))


def parse_statements(text: str) -> Mapping[str, bytes]:
    """Split the text of an .sql file by its `-- name:` lines.

    Raises:
        ValueError: text before the first name, no name at all, or a name that comes twice.
    """
    head, *parts = _NAME.split(text)
    names, bodies = parts[::2], parts[1::2]
    if head.strip() or not names:
        raise ValueError("expected each statement under a line `-- name: NAME`, from the first line on")
    if len(set(names)) != len(names):
        raise ValueError(f"expected distinct statement names, got {', '.join(sorted(names))}")
    return MappingProxyType({name: body.strip().encode() for name, body in zip(names, bodies, strict=True)})
