"""A registry that is asked sparingly about ids it may not know: garbage in front of a value names any of 2**32.

A poisoned topic has another unknown id in each record. To look up all of them would keep its neighbours waiting and
load the registry, so only so many a minute are asked about, and the others are refused without a look. Ids that a
registry may give next, little above the highest it is known to have, have half of these look-ups for themselves: a new
version of a schema is found though garbage comes with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from schemas.definitions import AvroSchema
from schemas.errors import LookupsSpent, UnknownSchema
from schemas.registries.registry import RegisteredSchema, SchemaRegistry

UNKNOWN_ID_TTL_S = 10.0
REMEMBERED_MISSES = 10_000
AT_ONCE_S = 6.0  # the look-ups of so long may be made at once: they hold up the records behind them
NEAR = 1_000  # registries number upwards


class SparingRegistry:
    """Ask a registry; about unknown ids at most `per_minute` times a minute, about each once in UNKNOWN_ID_TTL_S.

    What the registry knows costs nothing. `lookups` counts the questions about ids.
    """

    def __init__(self, registry: SchemaRegistry, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry = registry
        self._per_s = per_minute / 60
        self._most = max(self._per_s * AT_ONCE_S, 1.0)
        self._left = self._most
        self._clock = clock
        self._counted_at = clock()
        self._unknown: dict[int, tuple[float, str]] = {}
        self._highest = 0
        self._per_minute = per_minute

    def schema_id(self, subject: str, schema: AvroSchema) -> int:
        """Return the id of a schema; see SchemaRegistry."""
        found = self._registry.schema_id(subject, schema)
        self._highest = max(self._highest, found)
        return found

    def writer_schema(self, schema_id: int) -> RegisteredSchema:
        """Return the schema that an id names; see SchemaRegistry.

        Raises:
            LookupsSpent: it was not looked up; it may be fine.
        """
        now = self._clock()
        until, reason = self._unknown.get(schema_id, (now, ""))
        if now < until:
            raise UnknownSchema(reason)
        self._spare(schema_id, now)
        try:
            found = self._registry.writer_schema(schema_id)
        except UnknownSchema as fault:
            self._left -= 1
            self._remember(schema_id, now + UNKNOWN_ID_TTL_S, str(fault))
            raise
        self._highest = max(self._highest, schema_id)
        return found

    def _spare(self, schema_id: int, now: float) -> None:
        self._left = min(self._left + (now - self._counted_at) * self._per_s, self._most)
        self._counted_at = now
        kept = self._most / 2 if schema_id > self._highest + NEAR else 0.0
        if self._left < min(kept + 1, self._most):
            raise LookupsSpent(
                f"was not looked up: more than {self._per_minute} unknown ids a minute came "
                "(THREADS_UNKNOWN_SCHEMA_LOOKUPS); where it is fine, redrive this record"
            )

    def _remember(self, schema_id: int, until: float, reason: str) -> None:
        self._unknown.pop(schema_id, None)
        if len(self._unknown) >= REMEMBERED_MISSES:
            del self._unknown[next(iter(self._unknown))]  # the oldest
        self._unknown[schema_id] = until, reason
