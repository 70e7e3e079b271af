"""The writer schemas of one topic: ids that may stand in front of its values, looked up once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from schemas.catalogue import Topic
from schemas.definitions import definition
from schemas.errors import DecodeFault, LookupsSpent, SchemaError, UnknownSchema, UnusableSchema
from schemas.registries.registry import RegisteredSchema, SchemaRegistry
from schemas.registries.sparing_registry import REMEMBERED_MISSES, UNKNOWN_ID_TTL_S


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why an id is no writer schema, and until when that is believed."""

    until: float
    reason: str


class KnownWriters:
    """Resolve ids for the topics of one codec; an unknown id is asked for again only after UNKNOWN_ID_TTL_S."""

    def __init__(self, registry: SchemaRegistry, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry = registry
        self._clock = clock
        self._known: dict[int, RegisteredSchema] = {}
        self._refused: dict[int, _Refusal] = {}
        self._written: dict[str, int] = {}

    def writer(self, topic: Topic, schema_id: int) -> RegisteredSchema:
        """Return the schema a value of the topic was written with.

        Raises:
            DecodeFault: the registry has no such id or was not asked about it; it is no Avro schema, or no version of
                the topic's subject.
            RegistryUnavailable: the registry does not answer; the id may be fine.
        """
        known = self._known.get(schema_id)
        if known is None or not known.is_version_of(topic.subject):
            known = self._look_up(topic, schema_id)
        return known

    def _look_up(self, topic: Topic, schema_id: int) -> RegisteredSchema:
        now = self._clock()
        refusal = self._refused.get(schema_id)
        if refusal is None or now >= refusal.until:
            found = self._asked(schema_id)
            if isinstance(found, RegisteredSchema):
                self._known[schema_id] = found
                if found.is_version_of(topic.subject):
                    return found
            refusal = _Refusal(now + UNKNOWN_ID_TTL_S, _described(found))
            if not isinstance(found, LookupsSpent):  # that one is asked for as soon as it may be
                self._remember(schema_id, refusal)
        raise DecodeFault(
            f"expected a schema id of subject {topic.subject}, got id {schema_id}, which {refusal.reason}; "
            "`threads-agent schemas show` lists the ids"
        )

    def _asked(self, schema_id: int) -> RegisteredSchema | SchemaError:
        try:
            return self._registry.writer_schema(schema_id)
        except (UnknownSchema, UnusableSchema, LookupsSpent) as fault:
            return fault

    def _remember(self, schema_id: int, refusal: _Refusal) -> None:
        """Remember a miss; garbage names up to 2**32 ids, so only so many are remembered, the newest."""
        self._refused.pop(schema_id, None)
        if len(self._refused) >= REMEMBERED_MISSES:
            del self._refused[next(iter(self._refused))]
        self._refused[schema_id] = refusal

    def written_id(self, topic: Topic) -> int:
        """Return the id of the working schema of the topic: what this version of the code writes.

        Raises:
            UnknownSchema: the registry lacks it; `threads-agent schemas register` adds it.
            RegistryUnavailable: the registry does not answer.
        """
        if topic.name not in self._written:
            self._written[topic.name] = self._registry.schema_id(topic.subject, definition(topic.record.schema_name))
        return self._written[topic.name]


def _described(found: RegisteredSchema | SchemaError) -> str:
    """Return what an id is that a topic has no use for."""
    if isinstance(found, RegisteredSchema):
        name = found.schema.get("name") if isinstance(found.schema, dict) else "a schema without name"
        return f"is {name} of {', '.join(sorted(found.subjects)) or 'no subject'}"
    return str(found) if isinstance(found, UnusableSchema | LookupsSpent) else "is not registered"
