"""Engagement of a producer that is one schema version ahead: a field more, and a kind that nobody here knows yet."""

from __future__ import annotations

import copy
import io
from typing import Any

import fastavro

from schemas.catalogue import topic_named
from schemas.codec.record_dicts import to_dict
from schemas.codec.wire_format import header
from schemas.definitions import AvroSchema, definition
from schemas.records import EngagementEvent
from schemas.registries.http_registry import HttpRegistry

TOPIC = topic_named("engagement.events")
KIND_OF_TOMORROW = "bookmark"


def next_schema() -> AvroSchema:
    schema: AvroSchema = copy.deepcopy(definition(EngagementEvent.schema_name))
    (kind,) = (field for field in schema["fields"] if field["name"] == "kind")
    kind["type"]["symbols"].append(KIND_OF_TOMORROW)
    schema["fields"].insert(2, {"name": "device", "type": "string", "default": ""})
    return schema


class NextVersion:
    """A writer of the next version, which it registers as the newest of the topic."""

    def __init__(self, registry_url: str) -> None:
        registry = HttpRegistry(registry_url)
        self.schema_id = registry.register(TOPIC.subject, next_schema())
        registry.close()
        self._schema = fastavro.parse_schema(next_schema())

    def value(self, event: EngagementEvent, **changed: Any) -> bytes:
        """Return an event as this writer appends it, with other values for some fields."""
        body = io.BytesIO()
        fastavro.schemaless_writer(body, self._schema, {**to_dict(event), "device": "phone", **changed})
        return header(self.schema_id) + body.getvalue()
