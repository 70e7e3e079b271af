"""Fetches that name a topic by its id: of a topic that was made again nothing comes under the old one's name.

aiokafka fetches by name, so a consumer would go on in the new log where it stood in the old one. The layouts are those
of https://kafka.apache.org/protocol.html#The_Messages_Fetch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import UnknownTopicOrPartitionError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.types import (
    CompactArray,
    CompactBytes,
    CompactString,
    Int8,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

from streams.kafka.topic_ids import Uuid

UNKNOWN_TOPIC_ID, INCONSISTENT_TOPIC_ID = 100, 103  # aiokafka has no names for them
GONE_BACKOFF_S = 0.2  # else a consumer would ask for a topic that is gone as fast as the broker answers
UNKNOWN, NO_SESSION, NO_REPLICA = -1, 0, -1


class _FetchResponse(Response):
    API_KEY = 1
    API_VERSION = 13
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("session_id", Int32),
        (
            "topics",
            CompactArray(
                ("topic_id", Uuid),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("error_code", Int16),
                        ("highwater_offset", Int64),
                        ("last_stable_offset", Int64),
                        ("log_start_offset", Int64),
                        (
                            "aborted_transactions",
                            CompactArray(("producer_id", Int64), ("first_offset", Int64), ("tags", TaggedFields)),
                        ),
                        ("preferred_read_replica", Int32),
                        ("message_set", CompactBytes),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _FetchRequestStruct(RequestStruct):
    FLEXIBLE_VERSION = True
    API_KEY = 1
    API_VERSION = 13
    RESPONSE_TYPE = _FetchResponse
    SCHEMA = Schema(
        ("replica_id", Int32),
        ("max_wait_time", Int32),
        ("min_bytes", Int32),
        ("max_bytes", Int32),
        ("isolation_level", Int8),
        ("session_id", Int32),
        ("session_epoch", Int32),
        (
            "topics",
            CompactArray(
                ("topic_id", Uuid),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("current_leader_epoch", Int32),
                        ("fetch_offset", Int64),
                        ("last_fetched_epoch", Int32),
                        ("log_start_offset", Int64),
                        ("max_bytes", Int32),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        (
            "forgotten_topics_data",
            CompactArray(("topic_id", Uuid), ("partitions", CompactArray(Int32)), ("tags", TaggedFields)),
        ),
        ("rack_id", CompactString("utf-8")),
        ("tags", TaggedFields),
    )


class _FetchById(Request[_FetchRequestStruct]):
    API_KEY = 1

    def __init__(self, by_name: FetchRequest, ids: dict[str, bytes]) -> None:
        self._by_name = by_name
        self._ids = ids

    def build(self, request_struct_class: Any) -> Any:
        asked = self._by_name
        topics: list[Any] = [
            (
                self._ids[topic],
                [(partition, UNKNOWN, offset, UNKNOWN, UNKNOWN, most, {}) for partition, offset, most in partitions],
                {},
            )
            for topic, partitions in asked.topics
        ]
        limits = (asked._max_wait_ms, asked._min_bytes, asked._max_bytes, asked._isolation_level)  # noqa: SLF001
        rack = asked._rack_id  # noqa: SLF001
        return request_struct_class(NO_REPLICA, *limits, NO_SESSION, UNKNOWN, topics, [], rack, {})


@dataclass(frozen=True, slots=True)
class _ByName:
    """An answer as aiokafka's fetcher reads one of version 11."""

    topics: list[tuple[str, list[tuple[Any, ...]]]]
    API_VERSION: ClassVar[int] = 11


class ClientById:
    """A client for a fetcher; each fetch names topics by `ids()`, where the broker and the ids allow it.

    `on_gone` is called when a topic of that id is not there any more.
    """

    def __init__(self, client: AIOKafkaClient, ids: Callable[[], dict[str, str]], on_gone: Callable[[], None]) -> None:
        self._client = client
        self._ids = ids
        self._on_gone = on_gone

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def send(self, node_id: int, request: Any, **options: Any) -> Any:
        """Send a request; a fetch by id where that can be."""
        ids = self._ids_for(request) if isinstance(request, FetchRequest) else None
        if ids is None:
            return await self._client.send(node_id, request, **options)
        try:
            response = await self._client.send(node_id, _FetchById(request, ids), **options)
        except NotImplementedError:  # an older broker
            return await self._client.send(node_id, request, **options)
        answer = _by_name(response, {topic_id: name for name, topic_id in ids.items()})
        if any(part[1] == UnknownTopicOrPartitionError.errno for _, parts in answer.topics for part in parts):
            self._on_gone()
            await asyncio.sleep(GONE_BACKOFF_S)
        return answer

    def _ids_for(self, request: FetchRequest) -> dict[str, bytes] | None:
        known = self._ids()
        names = [topic for topic, _ in request.topics]
        return {name: bytes.fromhex(known[name]) for name in names} if all(map(known.__contains__, names)) else None


def _by_name(response: Any, names: dict[bytes, str]) -> _ByName:
    return _ByName([(names[topic_id], [_partition(each) for each in parts]) for topic_id, parts, _ in response.topics])


def _partition(answer: tuple[Any, ...]) -> tuple[Any, ...]:
    number, code, high, stable, start, aborted, replica, records, _ = answer
    if code in (UNKNOWN_TOPIC_ID, INCONSISTENT_TOPIC_ID):
        code = UnknownTopicOrPartitionError.errno
    transactions = [transaction[:2] for transaction in aborted or ()]
    return number, code, high, stable, start, transactions, replica, records or b""
