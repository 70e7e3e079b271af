"""What differs between the working schemas and the newest registered versions, subject by subject."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from schemas.catalogue import Topic
from schemas.definitions import AvroSchema, canonical_text
from schemas.registries.registry import RegisteredSchema


class VersionedRegistry(Protocol):
    """The part of the file registry that a comparison needs."""

    def ids(self, subject: str) -> list[int]:
        """Return the schema ids of a subject, oldest version first."""

    def writer_schema(self, schema_id: int) -> RegisteredSchema:
        """Return the schema that an id names."""

    def incompatibilities(self, subject: str, schema: AvroSchema) -> list[str]:
        """Return why a schema can't read what earlier versions wrote."""


@dataclass(frozen=True, slots=True)
class SubjectChange:
    """How the working schema of a subject stands to its newest version: `changes` lists all, `refusals` say why not."""

    subject: str
    state: Literal["unchanged", "new", "compatible", "refused"]
    changes: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()


def compare(
    registry: VersionedRegistry, working: Mapping[str, AvroSchema], topics: Sequence[Topic]
) -> list[SubjectChange]:
    """Compare the working schema (by record name) of every topic with the registry.

    Raises:
        InvalidSchema: a working schema breaks a rule of Avro.
    """
    return [_compare_one(registry, working.get(topic.record.schema_name), topic) for topic in topics]


def _compare_one(registry: VersionedRegistry, schema: AvroSchema | None, topic: Topic) -> SubjectChange:
    subject = topic.subject
    if schema is None:
        reason = f"schema {topic.record.schema_name} is gone: no .avsc file defines it any more"
        return SubjectChange(subject, "refused", (reason,), (reason,))
    ids = registry.ids(subject)
    refusals = tuple(registry.incompatibilities(subject, schema))
    if not ids:
        return SubjectChange(subject, "new", (f"schema {schema['name']} is not registered yet",))
    newest = registry.writer_schema(ids[-1]).schema
    if canonical_text(newest) == canonical_text(schema):
        return SubjectChange(subject, "unchanged")
    changes = tuple(field_changes(newest, schema)) or ("documentation or attributes of the record",)
    return SubjectChange(subject, "refused" if refusals else "compatible", changes, refusals)


def field_changes(old: AvroSchema, new: AvroSchema) -> list[str]:
    """Return one line for each field that was added, removed or changed."""
    before = {field["name"]: field for field in old["fields"]}
    after = {field["name"]: field for field in new["fields"]}
    lines = [f"field {name!r} removed" for name in before if name not in after]
    for name, field in after.items():
        if name not in before:
            default = f"default {json.dumps(field['default'])}" if "default" in field else "no default"
            lines.append(f"field {name!r} added, {default}")
        else:
            lines += [f"field {name!r}: {part} changed" for part in _changed_parts(before[name], field)]
    return lines


def _changed_parts(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    parts = sorted(old.keys() | new.keys())
    return [part for part in parts if canonical_text(old.get(part)) != canonical_text(new.get(part))]
