"""The file registry: ids committed with the schemas, and versions that a registry server adds in a folder of its own.

Layout of a folder: `registry.json` maps subjects to ids in order of version, `versions/<id>.avsc` holds each schema.
Committed ids count from 1; ids of a local folder from LOCAL_IDS_FROM, so that a newer release never takes one of them.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from schemas.compatibility import backward_faults
from schemas.definitions import PACKAGE_FOLDER, AvroSchema, canonical_text
from schemas.errors import IncompatibleSchema, UnknownSchema
from schemas.registries.registry import RegisteredSchema

LOCAL_IDS_FROM = 100_001
INDEX_NAME = "registry.json"
VERSIONS_NAME = "versions"


@dataclass(slots=True)
class _Shelf:
    """One folder of versions, as it is on disk."""

    folder: Path
    first_id: int
    subjects: dict[str, list[int]] = field(default_factory=dict)
    schemas: dict[int, AvroSchema] = field(default_factory=dict)

    def load(self) -> None:
        index = self.folder / INDEX_NAME
        if not index.exists():
            return
        self.subjects = {subject: list(ids) for subject, ids in json.loads(index.read_text(encoding="utf-8")).items()}
        for schema_id in {schema_id for ids in self.subjects.values() for schema_id in ids}:
            path = self.folder / VERSIONS_NAME / f"{schema_id}.avsc"
            if path.exists():
                self.schemas[schema_id] = json.loads(path.read_text(encoding="utf-8"))

    def next_id(self) -> int:
        return max([self.first_id - 1, *self.schemas]) + 1

    def add(self, subject: str, schema_id: int, schema: AvroSchema | None) -> None:
        """Write the version first and the index last, each by rename: a crash leaves the old index whole."""
        if schema is not None:
            self.schemas[schema_id] = schema
            _write(self.folder / VERSIONS_NAME / f"{schema_id}.avsc", json.dumps(schema, indent=2, ensure_ascii=False))
        self.subjects.setdefault(subject, []).append(schema_id)
        _write(self.folder / INDEX_NAME, json.dumps(self.subjects, indent=2))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text + "\n", encoding="utf-8")
    fresh.replace(path)


class FileRegistry:
    """Serve the committed schemas, and those of a local folder on top; new versions go to the local folder.

    Without `local`, new versions are written next to the committed ones (`schemas register` in a checkout).
    """

    def __init__(self, local: Path | None = None, *, committed: Path = PACKAGE_FOLDER) -> None:
        self._shelves = [_Shelf(committed, 1)]
        if local is not None:
            self._shelves.append(_Shelf(local, LOCAL_IDS_FROM))
        for shelf in self._shelves:
            shelf.load()
        self._ids: dict[tuple[str, str], int] = {}
        self._registered: dict[int, RegisteredSchema] = {}
        self._index()

    def _index(self) -> None:
        self._registered = {
            schema_id: RegisteredSchema(
                schema_id, frozenset(s for s in self.subjects() if schema_id in self.ids(s)), schema
            )
            for shelf in self._shelves
            for schema_id, schema in shelf.schemas.items()
        }
        self._ids = {
            (subject, canonical_text(self._registered[schema_id].schema)): schema_id
            for subject in self.subjects()
            for schema_id in self.ids(subject)
        }

    def _subjects_of(self, schema_id: int) -> frozenset[str]:
        return frozenset(subject for subject in self.subjects() if schema_id in self.ids(subject))

    def subjects(self) -> list[str]:
        """Return the names of all subjects, sorted."""
        return sorted({subject for shelf in self._shelves for subject in shelf.subjects})

    def ids(self, subject: str) -> list[int]:
        """Return the schema ids of a subject, oldest version first; empty for an unknown subject."""
        return [schema_id for shelf in self._shelves for schema_id in shelf.subjects.get(subject, [])]

    def schema_id(self, subject: str, schema: AvroSchema) -> int:
        """Return the id that `schema` has in the subject; see SchemaRegistry."""
        schema_id = self._ids.get((subject, canonical_text(schema)))
        if schema_id is None:
            raise UnknownSchema(
                f"Subject {subject} has no version equal to this schema of {schema.get('name')!r}; "
                "run `threads-agent schemas check`, then `threads-agent schemas register`"
            )
        return schema_id

    def writer_schema(self, schema_id: int) -> RegisteredSchema:
        """Return the schema that an id names; see SchemaRegistry."""
        if schema_id not in self._registered:
            raise UnknownSchema(
                f"The file registry has no schema id {schema_id}; `threads-agent schemas show` lists the ids"
            )
        return self._registered[schema_id]

    def incompatibilities(self, subject: str, schema: AvroSchema) -> list[str]:
        """Return why `schema` can't read what earlier versions of the subject wrote; empty when it can."""
        earlier = [(schema_id, self.writer_schema(schema_id).schema) for schema_id in self.ids(subject)]
        return [
            f"id {schema_id}: {fault}" for schema_id, writer in earlier for fault in backward_faults(schema, writer)
        ]

    def register(self, subject: str, schema: AvroSchema) -> int:
        """Add `schema` as the newest version of the subject and return its id; a known schema keeps its id.

        Raises:
            IncompatibleSchema: an earlier version's records could not be read with it; nothing was written.
            OSError: the folder can't be written.
        """
        text = canonical_text(schema)
        if (subject, text) in self._ids:
            return self._ids[subject, text]
        reasons = self.incompatibilities(subject, schema)
        if reasons:
            raise IncompatibleSchema(subject, reasons)
        shelf = self._shelves[-1]
        same = [entry.id for entry in self._registered.values() if canonical_text(entry.schema) == text]
        if same:
            shelf.add(subject, same[0], None)
        else:
            shelf.add(subject, shelf.next_id(), schema)
        self._index()
        return self._ids[subject, text]
