"""Strict YAML: what a YAML 1.1 reader gets wrong in silence is an error with its line, or stays text."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, NodeEvent, ScalarEvent
from yaml.nodes import MappingNode, ScalarNode

MAX_DEPTH = 20
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class StrictDocument:
    """The content of a document, and its keys that stand twice in one mapping, each with its line."""

    content: object
    repeated_keys: tuple[str, ...]


def read_strict(text: str) -> StrictDocument:
    """Read one YAML document.

    Plain scalars are those of JSON: `no` stays "no", `12:30` stays "12:30" and a date stays text. Aliases, which a few
    lines can blow up to gigabytes, tags and deep nesting are refused.

    Raises:
        yaml.YAMLError: the text is not YAML of this kind; the message says where.
    """
    _refuse_dangers(text)
    loader = _StrictLoader(text)
    try:
        content = loader.get_single_data()
    finally:
        loader.dispose()
    return StrictDocument(content, tuple(loader.repeated_keys))


def _refuse_dangers(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, _StrictLoader):
        problem = None
        if isinstance(event, CollectionEndEvent):
            depth -= 1
        elif isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor is not None):
            problem = "anchors (&) and aliases (*) are refused; write it out, in quotes if it is text"
        elif isinstance(event, ScalarEvent | CollectionStartEvent) and event.tag is not None:
            problem = "tags (!) are refused; leave it out, or put quotes around if it is text"
        if isinstance(event, CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                problem = f"nested over {MAX_DEPTH} levels; flatten it"
        if problem is not None:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise yaml.YAMLError(f"line {line}: {problem}")


class _StrictLoader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - declared so by the library

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.repeated_keys: list[str] = []

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, ScalarNode):
                if key.value in seen:
                    line = key.start_mark.line + 1
                    self.repeated_keys.append(f"line {line}: {key.value[:_SHOWN]!r} stands twice in one mapping")
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


_WHOLE = r"[-+]?(?:0|[1-9][0-9]{0,17})"
for _name, _pattern, _first in (
    ("null", r"^(?:~|null|)$", ["~", "n", ""]),
    ("bool", r"^(?:true|false)$", ["t", "f"]),
    ("int", rf"^{_WHOLE}$", list("-+0123456789")),
    ("float", rf"^(?:{_WHOLE}(?:\.[0-9]*)?|[-+]?\.[0-9]+)(?:[eE][-+]?[0-9]+)?$", list("-+.0123456789")),
):
    _StrictLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(_pattern), _first)
