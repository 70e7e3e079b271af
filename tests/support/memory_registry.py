"""A registry in memory that takes any schema, as registries do that check no compatibility."""

from __future__ import annotations

from typing import Any

from schemas.catalogue import Topic
from schemas.definitions import AvroSchema, canonical_text, definition
from schemas.errors import UnknownSchema
from schemas.registries.registry import RegisteredSchema


class MemoryRegistry:
    """Ids count up from 1; the working schema of a topic is registered when it is asked for."""

    def __init__(self) -> None:
        self._registered: dict[int, RegisteredSchema] = {}

    def add(self, topic: Topic, schema: Any, references: tuple[Any, ...] = ()) -> int:
        """Register a schema for the values of a topic and return its id."""
        schema_id = len(self._registered) + 1
        self._registered[schema_id] = RegisteredSchema(schema_id, frozenset((topic.subject,)), schema, references)
        return schema_id

    def add_working(self, topic: Topic) -> int:
        """Register the working schema of a topic."""
        return self.add(topic, definition(topic.record.schema_name))

    def schema_id(self, subject: str, schema: AvroSchema) -> int:
        """Return the id that a schema has; see SchemaRegistry."""
        for schema_id, each in self._registered.items():
            if subject in each.subjects and canonical_text(each.schema) == canonical_text(schema):
                return schema_id
        raise UnknownSchema(f"{subject} has no such version")

    def writer_schema(self, schema_id: int) -> RegisteredSchema:
        """Return the schema that an id names; see SchemaRegistry."""
        if schema_id not in self._registered:
            raise UnknownSchema(f"no schema id {schema_id}")
        return self._registered[schema_id]
