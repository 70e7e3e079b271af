"""The writer schemas of one topic: ids that may stand in front of its values, looked up once."""

from __future__ import annotations

import time
from collections.abc import Callable

from schemas.catalogue import Topic
from schemas.definitions import definition
from schemas.errors import DecodeFault, UnknownSchema
from schemas.registry import RegisteredSchema, SchemaRegistry

UNKNOWN_ID_TTL_S = 10.0
REMEMBERED_MISSES = 10_000


class KnownWriters:
    """Resolve ids for the topics of one codec; an unknown id is asked for again only after UNKNOWN_ID_TTL_S."""

    def __init__(self, registry: SchemaRegistry, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry = registry
        self._clock = clock
        self._known: dict[int, RegisteredSchema] = {}
        self._unknown_until: dict[int, float] = {}
        self._written: dict[str, int] = {}

    def writer(self, topic: Topic, schema_id: int) -> RegisteredSchema:
        """Return the schema a value of the topic was written with.

        Raises:
            DecodeFault: the registry has no such id, or it is no version of the topic's subject.
            RegistryUnavailable: the registry does not answer; the id may be fine.
        """
        known = self._known.get(schema_id)
        if known is None or topic.subject not in known.subjects:
            known = self._look_up(topic, schema_id)
        return known

    def _look_up(self, topic: Topic, schema_id: int) -> RegisteredSchema:
        now = self._clock()
        if now >= self._unknown_until.get(schema_id, 0.0):
            try:
                found = self._registry.writer_schema(schema_id)
            except UnknownSchema:
                self._forget(schema_id, now)
            else:
                self._known[schema_id] = found
                if topic.subject in found.subjects:
                    return found
                self._forget(schema_id, now)
        raise DecodeFault(self._refusal(topic, schema_id))

    def _forget(self, schema_id: int, now: float) -> None:
        """Remember a miss; garbage names up to 2**32 ids, so only so many are remembered."""
        if len(self._unknown_until) >= REMEMBERED_MISSES:
            self._unknown_until.clear()
        self._unknown_until[schema_id] = now + UNKNOWN_ID_TTL_S

    def _refusal(self, topic: Topic, schema_id: int) -> str:
        known = self._known.get(schema_id)
        got = "is not registered"
        if known is not None:
            got = f"is {known.schema.get('name')} of {', '.join(sorted(known.subjects)) or 'no subject'}"
        return (
            f"expected a schema id of subject {topic.subject}, got id {schema_id}, which {got}; "
            "`threads-agent schemas show` lists the ids"
        )

    def written_id(self, topic: Topic) -> int:
        """Return the id of the working schema of the topic: what this version of the code writes.

        Raises:
            UnknownSchema: the registry lacks it; `threads-agent schemas register` adds it.
            RegistryUnavailable: the registry does not answer.
        """
        if topic.name not in self._written:
            self._written[topic.name] = self._registry.schema_id(topic.subject, definition(topic.record.schema_name))
        return self._written[topic.name]
