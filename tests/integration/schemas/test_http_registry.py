"""Registries of several makes, in several states: the record is read, refused for good, or waits; nothing else."""

from __future__ import annotations

import base64
import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.catalogue import topic_named
from schemas.codec.columns import ColumnCodec
from schemas.codec.rows import RowCodec
from schemas.codec.wire_format import HEADER_BYTES, header
from schemas.definitions import AvroSchema, definition
from schemas.errors import DecodeFault, RegistryUnavailable
from schemas.records import DeadLetter, EngagementEvent
from schemas.registries.file_registry import FileRegistry
from schemas.registries.http_registry import HttpRegistry
from schemas.registries.registry import SchemaRegistry
from streams.embedded.ports import free_port
from streams.engine.dead_letters import LetterReader
from tests.support.scripted_registry import Said, Script, serving

TOPIC, LETTERS = topic_named("engagement.events"), topic_named("dead.letters")
AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
EVENT = EngagementEvent(event_id="e", occurred_at=AT, persona_id="ada", kind="like", count=7)
LETTER = DeadLetter(
    event_id="d",
    occurred_at=AT,
    consumer="kpis",
    source_topic=TOPIC.name,
    source_partition=0,
    source_offset=3,
    source_timestamp=AT,
    value=b"\x00poison",
    error_class="RecordFault",
    reason="it is poison",
)
ROWS = RowCodec(FileRegistry())
ID = 70_000
SCHEMA = f"/schemas/ids/{ID}"
USED, SUBJECTS = f"{SCHEMA}/versions", f"{SCHEMA}/subjects"
VERSIONS = [{"subject": TOPIC.subject, "version": 1}]
UNKNOWN = Said(404, {"error_code": 40403, "message": "Schema not found"})
CONFIG = {"/config": Said(content={"compatibilityLevel": "BACKWARD"})}


def _answer(schema: Any, **more: Any) -> Said:
    return Said(content={"schema": schema if isinstance(schema, str) else json.dumps(schema), **more})


OURS = _answer(definition("EngagementEvent"))
VALUE = header(ID) + ROWS.encode(TOPIC, EVENT)[HEADER_BYTES:]


def _read(registry: SchemaRegistry, value: bytes = VALUE) -> Any:
    """Return what both codecs read of a value; they ask the registry each for itself."""
    record = RowCodec(registry).decode(TOPIC, value)
    decoded = ColumnCodec(registry).decode(TOPIC, [value])
    assert decoded.frame.to_dicts() == [RowCodec(registry).decode_plain(TOPIC, value)]
    return record


@pytest.mark.parametrize(
    "answers",
    [
        {USED: Said(content=VERSIONS)},
        {USED: Said(content=[]), f"{USED}?deleted=true": Said(content=VERSIONS)},
        {USED: Said(content=[])},
        {USED: Said(content=[]), SUBJECTS: Said(content=[TOPIC.subject])},
        {USED: Said(404, {"error_code": 40403, "message": f"Schema {ID} not found"})},
        {USED: Said(404, b"404 page not found\n")},
        {USED: Said(405, {"error_code": 405, "message": "HTTP 405 Method Not Allowed"})},
        {USED: Said(501, b"")},
        {USED: Said(403, {"error_code": 40301, "message": "User is denied operation"}), SUBJECTS: Said(403, b"")},
        {
            f"{USED}?deleted=true": Said(422, {"error_code": 422, "message": "unknown parameter"}),
            USED: Said(content=VERSIONS),
        },
        {USED: Said(content={"versions": "another make's"})},
        {USED: Said(200, b"<html>the console</html>"), SUBJECTS: Said(200, b"<html>the console</html>")},
        {},
    ],
    ids=lambda answers: (
        ";".join(f"{path.rpartition('/')[2]}={said.status}" for path, said in answers.items()) or "none"
    ),
)
def test_a_schema_that_is_readable_is_read_whatever_became_of_its_versions(answers: dict[str, Said]) -> None:
    with serving(Script({SCHEMA: OURS, **answers})) as url:
        assert _read(HttpRegistry(url)) == EVENT


def test_one_deleted_use_of_a_schema_beside_one_that_is_left_is_read() -> None:
    left = [{"subject": "other-value", "version": 1}]
    answers = {SCHEMA: OURS, USED: Said(content=left), f"{USED}?deleted=true": Said(content=[*left, *VERSIONS])}
    with serving(Script(answers)) as url:
        assert _read(HttpRegistry(url)) == EVENT


def test_a_schema_of_another_subject_is_refused() -> None:
    script = Script({SCHEMA: OURS, USED: Said(content=[{"subject": "other-value", "version": 1}])})
    reason = f"got id {ID}, which is EngagementEvent of other-value"
    with serving(script) as url, pytest.raises(DecodeFault, match=reason):
        _read(HttpRegistry(url))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (UNKNOWN, "is not registered"),
        (
            Said(404, {"error_code": 404, "message": "No content with id/hash 'contentId-70000' was found."}),
            "is not registered",
        ),
        (Said(404, b""), "is not registered"),
        (Said(400, {"error_code": 400, "message": "not a valid id"}), "is not registered"),
        (_answer('syntax = "proto3"; message E {}', schemaType="PROTOBUF"), "is a schema of type PROTOBUF"),
        (_answer({"type": "object"}, schemaType="JSON"), "is a schema of type JSON"),
        (_answer(definition("EngagementEvent"), schemaType="json"), "is a schema of type json"),
        (_answer("string"), "is no Avro schema: 'string'"),
        (_answer("[" * 100_000), "is no Avro schema"),
        (_answer("record", references=[{"name": "x"}]), "is no Avro schema"),
        (_answer(definition("EngagementEvent"), references=[{"name": "x"}]), "has references that name no subject"),
        (_answer(definition("EngagementEvent"), references=7), "has references that name no subject"),
        (
            _answer(definition("EngagementEvent"), references=[{"name": "x", "subject": "kind-value", "version": 3}]),
            "refers to version 3 of kind-value, which the registry does not have",
        ),
    ],
)
def test_what_the_registry_will_never_have_is_a_dead_letter_and_not_asked_for_again(answer: Said, reason: str) -> None:
    script = Script({SCHEMA: answer, USED: Said(content=VERSIONS), **CONFIG})
    with serving(script) as url:
        codec = RowCodec(HttpRegistry(url))
        for _ in range(50):
            with pytest.raises(DecodeFault, match=reason):
                codec.decode(TOPIC, VALUE)
    assert script.asked.count(SCHEMA) == 1


@pytest.mark.parametrize(
    "schema", ["string", ["null", "string"], {"type": "map", "values": "long"}, {"type": "recrod"}]
)
def test_avro_that_is_no_record_of_ours_is_a_dead_letter(schema: Any) -> None:
    script = Script({SCHEMA: _answer(json.dumps(schema)), USED: Said(content=VERSIONS)})
    with serving(script) as url, pytest.raises(DecodeFault, match="can't be read as EngagementEvent"):
        _read(HttpRegistry(url))


@pytest.mark.parametrize(
    ("answers", "advice"),
    [
        (
            {SCHEMA: Said(401, {"error_code": 401, "message": "Unauthorized"}), **CONFIG},
            "no access; give a user and pass",
        ),
        ({SCHEMA: Said(403, b"Forbidden"), **CONFIG}, "no access; give a user and password"),
        ({SCHEMA: Said(500, {"error_code": 50001, "message": "Error in the backend data store"})}, "answers 500"),
        ({SCHEMA: Said(503, b"")}, "answers 503"),
        ({SCHEMA: Said(429, b"")}, "answers 429"),
        ({SCHEMA: Said(301, b"")}, "answers 301.*is THREADS_REGISTRY_URL right"),
        ({SCHEMA: Said(200, b"<html>sign in</html>")}, "sign in.*expected a Confluent-compatible API"),
        ({SCHEMA: Said(200, b"\xff\xfe")}, "expected a Confluent-compatible API"),
        ({SCHEMA: Said(200, b"[" * 100_000)}, "expected a Confluent-compatible API"),
        ({SCHEMA: Said(content=[])}, "expected a Confluent-compatible API"),
        ({SCHEMA: Said(content={"schema": 7})}, "expected a Confluent-compatible API"),
        ({SCHEMA: Said(404, b"default backend - 404")}, "default backend - 404; expected a Confluent-compatible API"),
        ({SCHEMA: Said(404, b""), "/config": Said(200, b"<html>")}, "expected a Confluent-compatible API"),
        ({SCHEMA: OURS, USED: Said(502, b"")}, "answers 502"),
        ({SCHEMA: Said(200, b"{", hangs=True)}, "does not answer.*is it up"),
    ],
)
def test_what_is_around_the_record_is_waited_for_and_says_what_to_do(answers: dict[str, Said], advice: str) -> None:
    with serving(Script(answers)) as url, pytest.raises(RegistryUnavailable, match=advice):
        RowCodec(HttpRegistry(url, timeout_s=0.3)).decode(TOPIC, VALUE)


def test_user_and_password_of_the_address_are_given_and_never_shown() -> None:
    script = Script({SCHEMA: Said(401, b"")})
    with serving(script) as url:
        secret = url.replace("http://", "http://ada:tr0ub4dor@")
        for registry in (HttpRegistry(secret), HttpRegistry(f"http://ada:tr0ub4dor@127.0.0.1:{free_port()}")):
            with pytest.raises(RegistryUnavailable) as fault:
                registry.writer_schema(ID)
            assert "tr0ub4dor" not in str(fault.value)
            with pytest.raises(RegistryUnavailable) as fault:
                registry.schema_id(TOPIC.subject, definition("EngagementEvent"))
            assert "tr0ub4dor" not in str(fault.value)
    assert f"Basic {base64.b64encode(b'ada:tr0ub4dor').decode()}" in script.authorizations


def test_a_schema_in_parts_is_fetched_with_those_it_refers_to() -> None:
    kind = next(each for each in definition("EngagementEvent")["fields"] if each["name"] == "kind")["type"]
    schema = _with_kind("threads.EngagementKind")
    path = "/subjects/kind%20of-value/versions/2?deleted=true"
    refers = [{"name": "threads.EngagementKind", "subject": "kind of-value", "version": 2}] * 2
    script = Script({SCHEMA: _answer(schema, references=refers), path: _answer(kind), USED: Said(content=VERSIONS)})
    with serving(script) as url:
        assert _read(HttpRegistry(url)) == EVENT
        script.asked.clear()
        HttpRegistry(url).writer_schema(ID)
    assert script.asked.count(path) == 1


def test_schemas_that_refer_to_each_other_end() -> None:
    def refers(version: int) -> dict[str, Any]:
        return {"references": [{"name": "x", "subject": "a-value", "version": version}]}

    answers = {
        SCHEMA: _answer(definition("EngagementEvent"), **refers(1)),
        "/subjects/a-value/versions/1": _answer({"type": "fixed", "name": "a", "size": 1}, **refers(2)),
        "/subjects/a-value/versions/2": _answer({"type": "fixed", "name": "b", "size": 1}, **refers(1)),
        USED: Said(content=VERSIONS),
    }
    with serving(Script(answers)) as url:
        assert _read(HttpRegistry(url)) == EVENT


def _with_kind(kind: Any) -> AvroSchema:
    schema = copy.deepcopy(definition("EngagementEvent"))
    next(each for each in schema["fields"] if each["name"] == "kind")["type"] = kind
    return schema


def _framed_letter(schema_id: int) -> bytes:
    return header(schema_id) + ROWS.encode(LETTERS, LETTER)[HEADER_BYTES:]


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {SCHEMA: UNKNOWN},
        {SCHEMA: Said(503, b"")},
        {SCHEMA: Said(401, b"")},
        {SCHEMA: Said(200, b"<html>")},
        {SCHEMA: _answer("message Letter {}", schemaType="PROTOBUF")},
        {SCHEMA: OURS, USED: Said(content=VERSIONS)},
        {SCHEMA: OURS, USED: Said(content=[])},
        {SCHEMA: _answer(definition("DeadLetter")), USED: Said(content=[])},
    ],
    ids=["no registry", "unknown", "away", "no access", "no API", "protobuf", "other topic", "other record", "deleted"],
)
@pytest.mark.parametrize("schema_id", [ID, 12, 7])
def test_dead_letters_are_always_readable(answers: dict[str, Said], schema_id: int) -> None:
    renumbered = {path.replace(str(ID), str(schema_id)): said for path, said in answers.items()}
    with serving(Script(renumbered)) as url:
        reader = LetterReader(HttpRegistry(url))
        assert [reader.decode(_framed_letter(schema_id)) for _ in range(3)] == [LETTER] * 3


def test_a_registry_that_is_away_is_asked_once_for_all_letters() -> None:
    script = Script({}, otherwise=Said(503, b""))
    with serving(script) as url:
        reader = LetterReader(HttpRegistry(url))
        assert [reader.decode(_framed_letter(number)) for number in range(20)] == [LETTER] * 20
    assert len(script.asked) == 1


@pytest.mark.parametrize("value", [None, b"", b"{}", header(ID), header(12) + b"\x02", VALUE])
def test_what_is_no_dead_letter_is_none_without_the_registry_either(value: bytes | None) -> None:
    with serving(Script({}, otherwise=Said(503, b""))) as url, pytest.raises(DecodeFault, match="expected"):
        LetterReader(HttpRegistry(url)).decode(value)
