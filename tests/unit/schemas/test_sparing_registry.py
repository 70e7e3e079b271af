"""A registry is asked sparingly about ids that it may not know, and never the less about those it does."""

from __future__ import annotations

import pytest

from schemas.catalogue import topic_named
from schemas.definitions import AvroSchema, definition
from schemas.errors import DecodeFault, LookupsSpent, UnknownSchema
from schemas.registries.known_writers import KnownWriters
from schemas.registries.registry import RegisteredSchema
from schemas.registries.sparing_registry import NEAR, REMEMBERED_MISSES, UNKNOWN_ID_TTL_S, SparingRegistry

TOPIC = topic_named("engagement.events")
KNOWN = 40
GARBAGE = KNOWN + NEAR + 1


class Counting:
    """Knows one id, and counts what it is asked about."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.known = {KNOWN}

    def schema_id(self, subject: str, schema: AvroSchema) -> int:
        del subject, schema
        return KNOWN

    def writer_schema(self, schema_id: int) -> RegisteredSchema:
        self.asked.append(schema_id)
        if schema_id not in self.known:
            raise UnknownSchema(f"no schema id {schema_id}")
        return RegisteredSchema(schema_id, frozenset((TOPIC.subject,)), definition("EngagementEvent"))


def made(per_minute: int = 60) -> tuple[Counting, SparingRegistry, list[float]]:
    now = [0.0]
    registry = Counting()
    sparing = SparingRegistry(registry, per_minute, clock=lambda: now[0])
    sparing.schema_id(TOPIC.subject, definition("EngagementEvent"))
    return registry, sparing, now


def ask_all(sparing: SparingRegistry, ids: range) -> None:
    for each in ids:
        with pytest.raises((UnknownSchema, LookupsSpent)):
            sparing.writer_schema(each)


def test_so_many_unknown_ids_a_minute_are_looked_up_and_no_more() -> None:
    registry, sparing, now = made()
    ask_all(sparing, range(GARBAGE, GARBAGE + 1_000))
    assert len(registry.asked) == 3, "half of what a tenth of a minute allows"
    now[0] = 30.0
    ask_all(sparing, range(GARBAGE + 1_000, GARBAGE + 2_000))
    assert len(registry.asked) == 6, "what was not asked for does not add up beyond a tenth of a minute"


def test_an_unknown_id_is_looked_up_once_in_a_while() -> None:
    registry, sparing, now = made()
    for _ in range(100):
        ask_all(sparing, range(GARBAGE, GARBAGE + 1))
    assert registry.asked == [GARBAGE]
    now[0] = UNKNOWN_ID_TTL_S
    ask_all(sparing, range(GARBAGE, GARBAGE + 1))
    assert registry.asked == [GARBAGE] * 2


def test_what_the_registry_knows_costs_nothing_and_a_new_id_is_found_among_garbage() -> None:
    registry, sparing, _ = made()
    for _ in range(100):
        assert sparing.writer_schema(KNOWN).id == KNOWN
    ask_all(sparing, range(GARBAGE, GARBAGE + 1_000))
    registry.known.add(KNOWN + 1)
    assert sparing.writer_schema(KNOWN + 1).id == KNOWN + 1


def test_what_was_not_looked_up_says_so_and_is_looked_up_as_soon_as_it_may_be() -> None:
    registry, sparing, now = made()
    writers = KnownWriters(sparing, clock=lambda: now[0])
    ask_all(sparing, range(GARBAGE, GARBAGE + 10))
    registry.known.add(GARBAGE + 99)
    with pytest.raises(DecodeFault, match=r"which was not looked up: more than 60 unknown ids a minute .* redrive"):
        writers.writer(TOPIC, GARBAGE + 99)
    now[0] = 2.0
    assert writers.writer(TOPIC, GARBAGE + 99).id == GARBAGE + 99


def test_what_is_remembered_of_unknown_ids_is_bounded() -> None:
    _, sparing, _ = made(per_minute=10**9)
    ask_all(sparing, range(GARBAGE, GARBAGE + REMEMBERED_MISSES + 500))
    assert len(sparing._unknown) == REMEMBERED_MISSES
    assert GARBAGE not in sparing._unknown
