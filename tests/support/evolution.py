"""Records that writers of other languages wrote once, by schemas of ours and others (tests/golden/evolution)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.catalogue import Topic, topic_named
from schemas.definitions import AvroSchema
from schemas.registries.file_registry import FileRegistry
from schemas.registries.registry import RegisteredSchema

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "evolution"
OURS, OTHERS, LEARNING = "ours", "others", "learning"
LANGUAGES = ("java", "go")


@dataclass(frozen=True, slots=True)
class Case:
    """A record as it was written, and what it is read as today: its fields, or a field that it is refused for.

    Of what is expected moments are milliseconds and bytes are `{"hex": ...}`; fields that came later are not named.
    """

    name: str
    topic: Topic
    schema_id: int
    schema: AvroSchema
    value: bytes
    expected: dict[str, Any] | None
    refused: str | None


def lines(kind: str) -> str:
    """Return the cases of a kind, as a writer reads them from its standard input."""
    return (GOLDEN / f"{kind}.jsonl").read_text(encoding="utf-8")


def cases(kind: str, hexes: str) -> Iterator[Case]:
    """Yield the cases of a kind with what a writer made of them, a line of hex each."""
    for line, written in zip(lines(kind).splitlines(), hexes.splitlines(), strict=True):
        each = json.loads(line)
        topic = topic_named(each["topic"])
        told = each.get("expected"), each.get("refused")
        yield Case(each["case"], topic, each["id"], each["schema"], bytes.fromhex(written), *told)


def written(kind: str, language: str) -> str:
    """Return what a language's writer made of the cases of a kind when they were new."""
    return (GOLDEN / f"{kind}.{language}.hex").read_text(encoding="utf-8")


class Registry:
    """The committed registry, and the schemas of cases that are not in it."""

    def __init__(self) -> None:
        self._committed = FileRegistry()
        self._others = {
            each["id"]: RegisteredSchema(each["id"], frozenset((f"{each['topic']}-value",)), each["schema"])
            for each in map(json.loads, lines(OTHERS).splitlines())
        }

    def schema_id(self, subject: str, schema: AvroSchema) -> int:
        """Return the id of a schema; see SchemaRegistry."""
        return self._committed.schema_id(subject, schema)

    def writer_schema(self, schema_id: int) -> RegisteredSchema:
        """Return the schema that an id names; see SchemaRegistry."""
        try:
            return self._others[schema_id]
        except KeyError:
            return self._committed.writer_schema(schema_id)


def shown(value: Any) -> Any:
    """Return a value as it stands in `expected`."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, dict):
        return {name: shown(each) for name, each in value.items()}
    return [shown(each) for each in value] if isinstance(value, list) else value


def part(found: Any, expected: Any) -> Any:
    """Return what was read, without the fields that are not expected at their places: they came later."""
    if isinstance(found, dict) and isinstance(expected, dict):
        return {name: part(found[name], each) for name, each in expected.items()}
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        return [part(one, other) for one, other in zip(found, expected, strict=True)]
    return found
