"""Topics as the broker has them now: their ids, which a topic made again does not keep, and how many partitions.

aiokafka asks for metadata in a version without ids. https://kafka.apache.org/protocol.html has the layout of this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import LeaderNotAvailableError, NoError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

NO_ID = bytes(16)
UUID_BYTES = 16
_THERE = (NoError, LeaderNotAvailableError)


@dataclass(frozen=True, slots=True)
class TopicNow:
    """A topic at the moment; `topic_id` in hex, None where the broker is too old to tell (before Kafka 3.1)."""

    topic_id: str | None
    partitions: int

    def is_another_than(self, before: TopicNow) -> bool:
        """Tell whether it was made again since, as far as the broker tells."""
        return None not in (self.topic_id, before.topic_id) and self.topic_id != before.topic_id


class Uuid(AbstractType[bytes]):
    """Sixteen bytes."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(UUID_BYTES)


class _MetadataResponse(Response):
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _MetadataRequestStruct(RequestStruct):
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataRequestStruct]):
    API_KEY = 3

    def __init__(self, names: Iterable[str]) -> None:
        self._names = list(names)

    def build(self, request_struct_class: Any) -> Any:
        topics: list[Any] = [(NO_ID, name, {}) for name in self._names]
        creates_topics = tells_operations = False
        return request_struct_class(topics, creates_topics, tells_operations, {})


async def topics_now(client: AIOKafkaClient, names: Iterable[str]) -> Mapping[str, TopicNow]:
    """Return those of the topics that the broker has, whether or not their partitions have leaders.

    Raises:
        KafkaError: no broker answers; the client bounds the wait.
    """
    node, wanted = client.get_random_node(), sorted(set(names))
    try:
        response = await client.send(node, _MetadataRequest(wanted))
    except NotImplementedError:  # an older broker
        return await _without_ids(client, node, wanted)
    found = {}
    for code, name, topic_id, _, partitions, *_ in response.topics:
        if for_code(code) in _THERE:
            found[name] = TopicNow(None if topic_id == NO_ID else topic_id.hex(), len(partitions))
    return found


async def _without_ids(client: AIOKafkaClient, node: int, names: list[str]) -> Mapping[str, TopicNow]:
    response = await client.send(node, MetadataRequest(names, allow_auto_topic_creation=False))
    return {
        name: TopicNow(None, len(partitions))
        for code, name, _, partitions in response.topics
        if for_code(code) in _THERE
    }
