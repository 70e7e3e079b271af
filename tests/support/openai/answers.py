"""Structured output of the loopback model: an answer built from whatever JSON schema the request carries."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.support.openai.texts import sentence

BRIEF_CHARS = 60
DEFAULT_ITEMS = 3
_COUNTS = ("count", "how_many", "number", "n", "draft_count")
_INDEX_FIELDS = ("index", "number", "id", "position", "draft")
_LANGUAGE = re.compile(r"Language: (\w\w)\b")


@dataclass(frozen=True, slots=True)
class Task:
    """What the request asks for: its briefs, in which language, and for which place of the answer.

    `which` is the brief that the place belongs to, None where it is not within a list by brief; `place` counts the
    texts about one brief.
    """

    briefs: tuple[str, ...]
    message: Mapping[str, Any]
    language: str
    number: int
    which: int | None = None
    place: int = 0
    root: Mapping[str, Any] | None = None

    @property
    def brief(self) -> str:
        return self.briefs[self.which or 0][:BRIEF_CHARS]


def task_of(body: Mapping[str, Any]) -> Task:
    """Read the task from the last message (JSON with `brief` or `briefs`, else text) and the system prompt."""
    system, user = body["messages"][0]["content"], body["messages"][-1]["content"]
    try:
        message = json.loads(user)
    except ValueError:
        message = {"brief": user}
    if not isinstance(message, dict):
        message = {"brief": str(message)}
    found = _LANGUAGE.search(system)
    language = str(message.get("language") or (found.group(1) if found else "en"))
    seed = body.get("seed")
    number = (seed if seed is not None else zlib.crc32(user.encode())) % 89 + 11
    return Task(_briefs(message), message, language, number)


def answer_to(schema: Mapping[str, Any], task: Task, name: str = "") -> Any:
    """Return a value of that JSON schema, its strings about the task's briefs."""
    task = task if task.root is not None else replace(task, root=schema)
    schema = _resolved(schema, task.root or schema)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][task.place % len(schema["enum"])]
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {field: answer_to(each, task, field) for field, each in schema.get("properties", {}).items()}
    return _items(schema, task, name) if kind == "array" else _scalar(kind, task, name)


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema or "anyOf" in schema:
        named = schema.get("$ref")
        schema = root["$defs"][named.rsplit("/", 1)[-1]] if named else schema["anyOf"][0]
    return schema


def _items(schema: Mapping[str, Any], task: Task, name: str) -> list[Any]:
    by_brief = task.which is None and "briefs" in task.message
    length = schema.get("minItems") or _asked_length(task, name, by_brief=by_brief)
    briefs = len(task.briefs)
    if by_brief:
        places = [replace(task, which=number % briefs, place=number // briefs) for number in range(length)]
    else:
        places = [replace(task, place=task.place * length + number) for number in range(length)]
    return [answer_to(schema["items"], place, name) for place in places]


def _asked_length(task: Task, name: str, *, by_brief: bool) -> int:
    keys = (f"{name}_count",) if by_brief else (f"{name}_count", *_COUNTS)
    for key in keys:
        value = task.message.get(key)
        if isinstance(value, int) and value > 0:
            return value
    return len(task.briefs) if by_brief else DEFAULT_ITEMS


def _scalar(kind: str, task: Task, name: str) -> Any:
    if kind == "string":
        number = task.number + 7 * task.place + 3 * (task.which or 0)
        return sentence(name, task.brief, task.language, number, task.place)
    if kind == "integer":
        return (task.place if task.which is None else task.which) if name in _INDEX_FIELDS else task.number
    return {"number": 0.5, "boolean": True, "null": None}[kind]


def _briefs(message: Mapping[str, Any]) -> tuple[str, ...]:
    briefs = message.get("briefs")
    if isinstance(briefs, list) and briefs:
        return tuple(str(each.get("brief", each) if isinstance(each, dict) else each) for each in briefs)
    return (str(message.get("brief") or message.get("text") or "this"),)
