"""The registry of writer schemas: which schema an id names, and which id a schema has in a subject."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from schemas.definitions import AvroSchema

UNKNOWN_PER_MINUTE = 600


@dataclass(frozen=True, slots=True)
class RegisteredSchema:
    """A schema with its id and the subjects (`<topic>-value`) that have it as a version, or had it.

    `subjects_told` is false where the registry has the schema, and has forgotten of what it was a version.
    `schema` is any Avro schema as JSON, `references` are those it refers to, in the order in which to define them.
    """

    id: int
    subjects: frozenset[str]
    schema: Any
    references: tuple[Any, ...] = ()
    subjects_told: bool = True

    def is_version_of(self, subject: str) -> bool:
        """Tell whether the subject has it, as far as the registry says."""
        return not self.subjects_told or subject in self.subjects


class SchemaRegistry(Protocol):
    """Look up schemas. Both calls may block for a time-out; codecs ask once an id (known_writers.py)."""

    def schema_id(self, subject: str, schema: AvroSchema) -> int:
        """Return the id that `schema` has in the subject.

        Raises:
            UnknownSchema: the subject has no such version; the message says how to register it.
            RegistryUnavailable: the registry does not answer.
        """

    def writer_schema(self, schema_id: int) -> RegisteredSchema:
        """Return the schema that an id names.

        Raises:
            UnknownSchema: no such id.
            UnusableSchema: it is no Avro schema, or refers to one that is not there.
            LookupsSpent: it was not looked up, because too many unknown ids came; it may be fine.
            RegistryUnavailable: the registry does not answer.
        """


def open_registry(url: str | None, unknown_per_minute: int = UNKNOWN_PER_MINUTE) -> SchemaRegistry:
    """Open the Confluent-compatible registry at `url`, or the committed file registry where there is none.

    A registry that answers over HTTP is asked about so many unknown ids a minute at most.
    """
    if url is None:
        from schemas.registries.file_registry import FileRegistry  # noqa: PLC0415 - either kind loads only what it needs

        return FileRegistry()
    from schemas.registries.http_registry import HttpRegistry  # noqa: PLC0415
    from schemas.registries.sparing_registry import SparingRegistry  # noqa: PLC0415

    return SparingRegistry(HttpRegistry(url), unknown_per_minute)
