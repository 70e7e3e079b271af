"""Idempotency: a request that is sent again under its key has the effect and the answer of once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

from cachetools import FIFOCache
from fastapi import Header

from agents.gateway.auth.caller import Caller
from agents.gateway.problems import Refused
from schemas.catalogue import topic_named
from schemas.records import IdempotencyKey
from schemas.registries.registry import SchemaRegistry
from streams.engine.stage import Output
from streams.identity import derived_id
from streams.kafka.cluster import Cluster
from streams.kafka.topic_tail import WHOLE, TopicTail
from streams.wall_clock import utc_now

TOPIC = topic_named("gateway.idempotency")
MOST_KEYS = 100_000  # some 25 MB; older ones still have the same ids, but another body is not noticed

KEY = "Idempotency-Key"
MOST_KEY_LENGTH = 200
ABOUT_KEY = "Sent again with the same body it gives the same answer and counts once; with another, a 409."
IdempotencyKeyHeader = Annotated[
    str | None,
    Header(
        alias=KEY,
        min_length=1,
        max_length=MOST_KEY_LENGTH,
        description=ABOUT_KEY,
    ),
]
"""Parameter of a route that writes."""
KEY_PARAMETER: Mapping[str, Any] = {
    "in": "header",
    "name": KEY,
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": MOST_KEY_LENGTH},
    "description": ABOUT_KEY,
}
"""The same for a route that reads its parameters itself."""


class IdempotencyKeys:
    """The keys that were used lately, each with the digest of its body.

    What a key brings about has ids that follow from it, so that sent again it counts once even where it is forgotten.
    """

    def __init__(self, cluster: Cluster, registry: SchemaRegistry) -> None:
        self._tail = TopicTail(cluster, registry, {TOPIC: WHOLE}, IdempotencyKey)
        self._bodies: FIFOCache[str, bytes] = FIFOCache(MOST_KEYS)

    async def read(self) -> None:
        """Take in the keys of the topic.

        Raises:
            Unavailable: Kafka does not answer.
        """
        for record in await self._tail.news():
            self._bodies[record.key_id] = bytes.fromhex(record.body_digest)

    async def close(self) -> None:
        """Disconnect from the topic."""
        await self._tail.close()

    def claim(self, caller: Caller, route: str, key: str, body: bytes) -> tuple[str, list[Output]]:
        """Return the id that follows from a key, and what to append with what it brings about.

        Raises:
            Refused: the key came with another body.
        """
        key_id = derived_id(caller.tenant, route, key)
        digest = hashlib.sha256(body).digest()
        before = self._bodies.get(key_id)
        if before is not None and before != digest:
            raise Refused(
                HTTPStatus.CONFLICT,
                "this Idempotency-Key came with another body before; send the same body, or another key",
                type_="idempotency-key-reused",
            )
        self._bodies[key_id] = digest
        now = utc_now()
        record = IdempotencyKey(event_id=key_id, occurred_at=now, key_id=key_id, body_digest=digest.hex())
        return key_id, [Output(TOPIC.name, record)]

    def release(self, key_id: str) -> None:
        """Forget a key whose body was refused: nothing of it was written, and a better one may come under it."""
        self._bodies.pop(key_id, None)
