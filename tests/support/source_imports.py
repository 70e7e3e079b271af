"""What the files of this repository import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
OURS = ("agents/", "schemas/", "sinks/", "streams/")


def modules_imported(path: Path) -> Iterator[str]:
    """Yield what a file imports by its whole name: `from a.b import c` is a.b.c, whether c is a module or a name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files_imported(path: str) -> set[str]:
    """Return the files of ours that a file imports, by their paths within the repository."""
    names = [name.replace(".", "/") for name in modules_imported(REPOSITORY / path)]
    files = [f"{module}.py" for name in names for module in (name, name.rpartition("/")[0])]
    return {each for each in files if each.startswith(OURS) and (REPOSITORY / each).is_file()}
