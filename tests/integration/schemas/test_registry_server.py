"""The registry server talks to Confluent's own client, and to ours."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from schemas.catalogue import CATALOGUE, topic_named
from schemas.codec.columns import ColumnCodec
from schemas.codec.rows import RowCodec
from schemas.codec.wire_format import schema_id_of
from schemas.definitions import AvroSchema, definition
from schemas.errors import DecodeFault, IncompatibleSchema, RegistryUnavailable, UnknownSchema
from schemas.registries.file_registry import LOCAL_IDS_FROM, FileRegistry
from schemas.registries.http_registry import HttpRegistry
from schemas.registries.registry import open_registry
from streams.embedded.ports import free_port

TOPIC = topic_named("engagement.events")
ON_TOPIC = SerializationContext(TOPIC.name, MessageField.VALUE)
LIKE = {"event_id": "e", "occurred_at": 1795338000000, "persona_id": "ada", "kind": "like", "count": 2}
READY_S = 20.0


def _serve(folder: Path, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "schemas.registries.server", "--port", str(port), "--folder", str(folder)]
    server = subprocess.Popen(command)
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        assert server.poll() is None
        try:
            httpx.get(f"http://127.0.0.1:{port}/subjects", timeout=1).raise_for_status()
        except httpx.HTTPError:
            continue
        return server
    server.kill()
    server.wait()
    raise TimeoutError("the registry server does not answer")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "registered here"


@pytest.fixture
def url(folder: Path) -> Iterator[str]:
    port = free_port()
    server = _serve(folder, port)
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    assert server.wait(10) == 0


@pytest.fixture
def confluent(url: str) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": url}) as client:
        yield client


def _with_field(field: dict[str, Any]) -> AvroSchema:
    schema = copy.deepcopy(definition("EngagementEvent"))
    schema["fields"].append(field)
    return schema


def test_confluents_serializer_registers_the_committed_schema_under_its_committed_id(
    url: str, confluent: SchemaRegistryClient
) -> None:
    serializer = AvroSerializer(
        confluent,
        json.dumps(definition("EngagementEvent")),
        conf={"auto.register.schemas": True},
    )
    value = serializer(LIKE, ON_TOPIC)
    assert schema_id_of(value) == FileRegistry().ids(TOPIC.subject)[-1]
    record = RowCodec(open_registry(None)).decode(TOPIC, value)
    assert RowCodec(open_registry(url)).encode(TOPIC, record) == value


def test_confluents_serializer_uses_the_latest_version(confluent: SchemaRegistryClient) -> None:
    serializer = AvroSerializer(confluent, None, conf={"auto.register.schemas": False, "use.latest.version": True})
    value = serializer(LIKE, ON_TOPIC)
    decoded = AvroDeserializer(confluent)(value, ON_TOPIC)
    assert isinstance(decoded, dict)
    assert (decoded["persona_id"], decoded["count"]) == ("ada", 2)


def test_a_version_of_a_clients_own_gets_an_id_that_both_codecs_resolve(
    url: str, folder: Path, confluent: SchemaRegistryClient
) -> None:
    newer = _with_field({"name": "country", "type": ["null", "string"], "default": None})
    serializer = AvroSerializer(confluent, json.dumps(newer))
    value = serializer({**LIKE, "country": "NZ"}, ON_TOPIC)
    assert schema_id_of(value) == LOCAL_IDS_FROM
    registry = open_registry(url)
    record = RowCodec(registry).decode(TOPIC, value)
    (row,) = ColumnCodec(registry).decode(TOPIC, [value]).frame.to_dicts()
    assert (row["persona_id"], row["kind"], row["count"]) == ("ada", "like", 2)
    assert RowCodec(FileRegistry(folder)).decode(TOPIC, value) == record


def test_an_incompatible_schema_is_refused_with_409_and_the_reason(url: str, confluent: SchemaRegistryClient) -> None:
    broken = _with_field({"name": "country", "type": "string"})
    serializer = AvroSerializer(confluent, json.dumps(broken))
    with pytest.raises(SchemaRegistryError, match="'country' is new and has no default") as refusal:
        serializer({**LIKE, "country": "NZ"}, ON_TOPIC)
    assert (refusal.value.http_status_code, refusal.value.error_code) == (409, 409)
    with pytest.raises(IncompatibleSchema, match="'country'"):
        HttpRegistry(url).register(TOPIC.subject, broken)


def test_versions_and_compatibility_are_told(url: str) -> None:
    newer = _with_field({"name": "country", "type": ["null", "string"], "default": None})
    broken = _with_field({"name": "country", "type": "string"})
    with httpx.Client(base_url=url, timeout=5) as client:
        assert client.get("/subjects").json() == sorted(topic.subject for topic in CATALOGUE)
        path = f"/subjects/{TOPIC.subject}/versions"
        known = client.get(path).json()
        assert known == list(range(1, len(known) + 1))
        assert client.post(path, json={"schema": json.dumps(newer)}).json() == {"id": LOCAL_IDS_FROM}
        assert client.get(path).json() == [*known, known[-1] + 1]
        assert client.get(f"{path}/latest").json()["id"] == LOCAL_IDS_FROM
        assert json.loads(client.get(f"{path}/{known[-1]}").json()["schema"]) == definition("EngagementEvent")
        assert client.get("/config").json() == {"compatibilityLevel": "BACKWARD"}
        checked = client.post(f"/compatibility{path}/latest", json={"schema": json.dumps(broken)}).json()
        assert checked["is_compatible"] is False
        assert "country" in checked["messages"][0]
        looked_up = client.post(f"/subjects/{TOPIC.subject}", json={"schema": json.dumps(newer)}).json()
        assert (looked_up["version"], looked_up["id"]) == (known[-1] + 1, LOCAL_IDS_FROM)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/subjects/nope-value/versions", 40401),
        ("/subjects/engagement.events-value/versions/9", 40402),
        ("/subjects/engagement.events-value/versions/x", 42202),
        ("/schemas/ids/4711", 40403),
        ("/nothing/here", 404),
    ],
)
def test_what_is_not_there_gets_confluents_error_code(url: str, path: str, code: int) -> None:
    answer = httpx.get(url + path, timeout=5)
    assert (answer.status_code, answer.json()["error_code"]) == (int(str(code)[:3]), code)


@pytest.mark.parametrize("body", [b"{", b"{}", b'{"schema": "{"}', b'{"schema": "{\\"type\\": \\"recrod\\"}"}'])
def test_what_is_no_schema_is_refused(url: str, body: bytes) -> None:
    answer = httpx.post(f"{url}/subjects/x-value/versions", content=body, timeout=5)
    assert (answer.status_code, answer.json()["error_code"]) == (422, 42201)


def test_registered_versions_outlive_the_server(folder: Path) -> None:
    newer = _with_field({"name": "country", "type": ["null", "string"], "default": None})
    for _ in range(2):
        port = free_port()
        server = _serve(folder, port)
        try:
            assert HttpRegistry(f"http://127.0.0.1:{port}").register(TOPIC.subject, newer) == LOCAL_IDS_FROM
        finally:
            server.terminate()
            server.wait(10)


def test_a_registry_that_is_away_is_unavailable_and_not_a_fault_of_the_record() -> None:
    codec = RowCodec(open_registry(f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(RegistryUnavailable, match="does not answer"):
        codec.decode(TOPIC, b"\x00\x00\x00\x00\x07body")


def test_an_unknown_id_and_an_unregistered_schema_are_told_as_such(url: str) -> None:
    with pytest.raises(DecodeFault, match="id 4711, which is not registered"):
        RowCodec(open_registry(url)).decode(TOPIC, b"\x00\x00\x00\x12\x67body")
    with pytest.raises(UnknownSchema, match="schemas register --url"):
        HttpRegistry(url).schema_id(TOPIC.subject, definition("CostEvent"))


def test_a_port_in_use_is_told_in_one_line(url: str, tmp_path: Path) -> None:
    port = url.rpartition(":")[2]
    command = [sys.executable, "-m", "schemas.registries.server", "--port", port, "--folder", str(tmp_path / "other")]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 2
    assert "give another --port" in second.stderr
    assert len(second.stderr.splitlines()) == 1
