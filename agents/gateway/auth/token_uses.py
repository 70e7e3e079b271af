"""When tokens were last used: on a topic of their own, for a use that is told late must not undo a revocation."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from schemas.catalogue import topic_named
from schemas.records import TokenUse
from schemas.registries.registry import SchemaRegistry
from streams.engine.stage import Output
from streams.kafka.cluster import Cluster
from streams.kafka.producer import EventProducer
from streams.kafka.tailed_table import TailedTable
from streams.kafka.topic_tail import WHOLE, TopicTail

TOPIC = topic_named("gateway.uses")
TOLD_EVERY = timedelta(minutes=5)


class TokenUses(TailedTable[TokenUse]):
    """The last use of each token, to five minutes."""

    def __init__(self, cluster: Cluster, registry: SchemaRegistry, producer: EventProducer) -> None:
        super().__init__(TopicTail(cluster, registry, {TOPIC: WHOLE}, TokenUse))
        self._producer = producer
        self._last: dict[str, datetime] = {}
        self._untold: dict[str, datetime] = {}

    def put(self, record: TokenUse) -> None:
        """Take a use in; the latest counts."""
        known = self._last.get(record.token_id)
        if known is None or known < record.occurred_at:
            self._last[record.token_id] = record.occurred_at

    def drop(self, key: bytes) -> None:
        """Forget a token's uses."""
        self._last.pop(key.decode(errors="replace"), None)

    def last(self, token_id: str) -> datetime | None:
        """Return when a token was last used, None where it never was."""
        return self._last.get(token_id)

    def note(self, token_id: str, now: datetime) -> None:
        """Note a use, to be told if none was for a while."""
        known = self._last.get(token_id)
        if known is None or now - known >= TOLD_EVERY:
            self._untold.setdefault(token_id, now)

    async def tell(self) -> None:
        """Append what was noted.

        Raises:
            Unavailable: Kafka does not answer; it is told the next time.
        """
        if not self._untold:
            return
        told = [
            TokenUse(event_id=str(uuid.uuid4()), occurred_at=now, token_id=each) for each, now in self._untold.items()
        ]
        await self._producer.append_all([Output(TOPIC.name, each) for each in told])
        for each in told:
            self.put(each)
            self._untold.pop(each.token_id, None)

    async def forget(self, token_ids: list[str]) -> None:
        """Append tombstones for tokens that are gone.

        Raises:
            Unavailable: Kafka does not answer.
        """
        await self._producer.append_raw(TOPIC.name, 0, [(each.encode(), None) for each in token_ids])
        for each in token_ids:
            self._last.pop(each, None)
