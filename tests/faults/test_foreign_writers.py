"""Writer schemas of any shape under running workers: each record counts as meant or is a dead letter, no role ends."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fastavro
import pytest

from schemas.catalogue import CATALOGUE, Topic, topic_named
from schemas.codec.record_dicts import to_dict
from schemas.codec.wire_format import header
from schemas.definitions import definition
from schemas.registries.registry import open_registry
from streams.kafka.producer import EventProducer
from tests.conftest import Stack
from tests.faults.conftest import WorkerProcess
from tests.support.faults.consumer_group import ConsumerGroup
from tests.support.faults.dead_letters import dead_letters
from tests.support.faults.fault_report import BeginFault
from tests.support.faults.own_broker import OwnBroker, own_broker
from tests.support.faults.poison import golden_record
from tests.support.postgres_tables import own_database, query
from tests.support.scripted_registry import Said, Script, serving

EVENTS, REQUESTS = topic_named("engagement.events"), topic_named("persona.requests")
READ = {"kpis": (EVENTS,), "generation": (REQUESTS,), "sink-postgres": (EVENTS, REQUESTS)}
COMMITTED = open_registry(None)
FIRST_FOREIGN_ID = 1_000
Place = tuple[str, int]


@pytest.fixture
def broker() -> Iterator[OwnBroker]:
    with own_broker() as made:
        yield made


@dataclass
class Registry:
    """What a registry answers: the working schemas under their committed ids, and what foreign producers registered."""

    script: Script = field(default_factory=lambda: Script({}))
    next_id: int = FIRST_FOREIGN_ID

    def __post_init__(self) -> None:
        for topic in CATALOGUE:
            schema = definition(topic.record.schema_name)
            schema_id = COMMITTED.schema_id(topic.subject, schema)
            self.script.answers[f"/subjects/{topic.subject}"] = Said(content={"id": schema_id})
            self._put(schema_id, topic, {"schema": json.dumps(schema)})

    def _put(self, schema_id: int, topic: Topic, content: dict[str, Any], *, is_told: bool = True) -> None:
        self.script.answers[f"/schemas/ids/{schema_id}"] = Said(content=content)
        versions = [{"subject": topic.subject, "version": schema_id}] if is_told else []
        self.script.answers[f"/schemas/ids/{schema_id}/versions"] = Said(content=versions)

    def add(self, topic: Topic, schema: str, kind: str = "AVRO", *, is_told: bool = True) -> int:
        self.next_id += 1
        self._put(self.next_id, topic, {"schema": schema, "schemaType": kind}, is_told=is_told)
        return self.next_id


@dataclass(frozen=True, slots=True)
class Foreign:
    """A record of a foreign producer, and whether it can be read."""

    what: str
    value: bytes
    is_good: bool


def encoded(schema_id: int, schema: Any, value: Any) -> bytes:
    out = io.BytesIO(header(schema_id))
    out.seek(0, io.SEEK_END)
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


def changed(topic: Topic, field_name: str, /, **change: Any) -> Any:
    schema = copy.deepcopy(definition(topic.record.schema_name))
    next(each for each in schema["fields"] if each["name"] == field_name).update(change)
    return schema


def records_of(topic: Topic, registry: Registry) -> list[Foreign]:
    """Return records of a topic by writers of every shape; each is an event of its own."""
    values = to_dict(golden_record(topic))
    at_ms = values["occurred_at"] = round(values["occurred_at"].timestamp() * 1000)
    moments = {
        "a plain long": ("long", at_ms),
        "local milliseconds": ({"type": "long", "logicalType": "local-timestamp-millis"}, at_ms),
        "microseconds": ({"type": "long", "logicalType": "timestamp-micros"}, at_ms * 1000),
        "a nullable moment": (["null", {"type": "long", "logicalType": "timestamp-millis"}], at_ms),
        "text": ("string", "yesterday"),
        "time of day": ({"type": "int", "logicalType": "time-millis"}, 1_000),
    }
    made: list[Foreign] = []

    def add(what: str, schema: Any, change: dict[str, Any], *, is_good: bool, is_told: bool = True) -> None:
        schema_id = registry.add(topic, json.dumps(schema), is_told=is_told)
        value = {**values, "event_id": f"{topic.name}: {what}", **change}
        made.append(Foreign(what, encoded(schema_id, _without_logical(schema), value), is_good))

    for what, (kind, moment) in moments.items():
        is_good = what not in ("text", "time of day")
        add(what, changed(topic, "occurred_at", type=kind), {"occurred_at": moment}, is_good=is_good)
    add(
        "a version that was deleted",
        {**definition(topic.record.schema_name), "doc": "d"},
        {},
        is_good=True,
        is_told=False,
    )
    persona = changed(topic, "persona_id", name="who", aliases=["persona_id"])
    add("a field with another name", persona, {"who": values["persona_id"]}, is_good=True)
    for kind, text in (("PROTOBUF", 'syntax = "proto3";'), ("JSON", '{"type": "object"}'), ("AVRO", '"string"')):
        schema_id = registry.add(topic, text, kind)
        made.append(Foreign(f"a schema of {kind} {text}", encoded(schema_id, "string", "text"), is_good=False))
    schema_id = registry.add(topic, '["null", "long"]')
    made.append(Foreign("a union", encoded(schema_id, ["null", "long"], 7), is_good=False))
    return made


def _without_logical(schema: Any) -> Any:
    """Return a schema that writes moments as the numbers that they are."""
    if isinstance(schema, dict):
        return {key: _without_logical(each) for key, each in schema.items() if key != "logicalType"}
    return [_without_logical(each) for each in schema] if isinstance(schema, list) else schema


async def append(broker: OwnBroker, topic: Topic, records: list[Foreign]) -> dict[Place, Foreign]:
    producer = EventProducer(broker.cluster, COMMITTED)
    await producer.start()
    try:
        sent = [(await producer.send_raw(topic.name, b"key", each.value, [], 0), each) for each in records]
    finally:
        await producer.stop()
    return {(topic.name, at.offset): each for at, each in sent}


@pytest.mark.timeout(300)
async def test_records_of_any_writer_are_read_or_set_aside_and_no_role_ends(
    broker: OwnBroker, stack: Stack, llm: str, tmp_path: Path, begin_fault: BeginFault
) -> None:
    run = begin_fault("writer schemas of any shape a registry takes")
    registry = Registry()
    written = {topic: records_of(topic, registry) for topic in (EVENTS, REQUESTS)}
    places: dict[Place, Foreign] = {}
    for topic, records in written.items():
        places |= await append(broker, topic, records)
    with serving(registry.script) as url, own_database(stack.postgres_dsn) as dsn:
        environment = {"THREADS_REGISTRY_URL": url, "THREADS_POSTGRES_DSN": dsn, "OPENAI_BASE_URL": llm}
        worker = WorkerProcess(broker, tuple(READ), "0", tmp_path / "worker.log", None, **environment)
        try:
            for role, topics in (
                ("kpis", (EVENTS,)),
                ("generation", (REQUESTS,)),
                ("sink-postgres", (EVENTS, REQUESTS)),
            ):
                group = ConsumerGroup(broker.cluster, role)
                await group.until_done(tuple(each.name for each in topics), worker.log)
            assert not worker.said("starts again from its last checkpoint"), worker.log()
        finally:
            worker.stop()
        stored = {event_id for (event_id,) in query(dsn, "SELECT event_id FROM engagement")}
    letters = [letter async for _, letter in dead_letters(broker)]
    by_sink = {(each.source_topic, each.source_offset) for each in letters if each.consumer == "sink-postgres"}
    bad = {place for place, each in places.items() if not each.is_good}
    good = {f"{EVENTS.name}: {each.what}" for each in written[EVENTS] if each.is_good}
    run.events = len(places)
    run.inflicted["foreign schema"] = registry.next_id - FIRST_FOREIGN_ID
    assert {places[place].what for place in by_sink ^ bad} == set()
    assert run.found(len(stored ^ good), 0.0) == 0
    kpis = {(each.source_topic, each.source_offset) for each in letters if each.consumer == "kpis"}
    assert kpis == {place for place in bad if place[0] == EVENTS.name}
