"""What a command is for, read from its source: help of the whole program must not wait until all are loaded."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from click.utils import make_default_short_help

SUMMARY_LENGTH = 90
_READ = {
    "name",
    "cls",
    "epilog",
    "invoke_without_command",
}  # arguments that leave it to the docstring


@dataclass(frozen=True, slots=True)
class Described:
    """A command's first sentence, and its example."""

    summary: str
    example: str


def described(source: str) -> Described | None:
    """Return what `module:attribute` is for; None where only loading it would tell."""
    module, _, attribute = source.partition(":")
    tree = _parsed(module)
    if tree is None:
        return None
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == attribute:
            return _of_function(node, tree)
        if isinstance(node, ast.ImportFrom) and not node.level and attribute in {each.name for each in node.names}:
            return described(f"{node.module}:{attribute}")
    return None


def _parsed(module: str) -> ast.Module | None:
    try:
        found = find_spec(module)
        return ast.parse(Path(str(found.origin)).read_text(encoding="utf-8")) if found and found.origin else None
    except (ImportError, OSError, SyntaxError, ValueError):
        return None


def _of_function(function: ast.FunctionDef, tree: ast.Module) -> Described | None:
    text = ast.get_docstring(function)
    made_by = next((each for each in _makers(function) if each.attr in ("command", "group")), None)
    if text is None or made_by is None or not set(made_by.keywords) <= _READ:
        return None
    example = made_by.keywords.get("epilog", "")
    if example is None:
        return None
    if not example and made_by.attr == "group":
        example = next((each for _, each in sorted(_examples_beneath(function.name, tree)) if each), "")
    return Described(make_default_short_help(text, SUMMARY_LENGTH), example)


@dataclass(frozen=True, slots=True)
class _Maker:
    """A decorator `owner.attr("name", keyword="text")`; None stands for what is no plain text."""

    owner: str
    attr: str
    name: str
    keywords: dict[str, str | None]


def _makers(function: ast.FunctionDef) -> Iterator[_Maker]:
    for node in function.decorator_list:
        call = node if isinstance(node, ast.Call) else ast.Call(node, [], [])
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
            name = (_text(call.args[0]) if call.args else None) or function.name
            keywords = {str(each.arg): _text(each.value) for each in call.keywords}
            yield _Maker(call.func.value.id, call.func.attr, name, keywords)


def _text(node: ast.expr) -> str | None:
    return str(node.value) if isinstance(node, ast.Constant) else None


def _examples_beneath(group: str, tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            for each in _makers(node):
                if each.owner == group and each.attr == "command":
                    yield each.name, each.keywords.get("epilog") or ""
