"""The token store: the topic of tokens, kept up with in the background, and written by those who make and end them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime

from agents.gateway.auth.caller import Caller
from agents.gateway.auth.token_uses import TokenUses
from agents.gateway.auth.tokens import TokenBook, caller_of
from schemas.catalogue import topic_named
from schemas.records import AccessToken
from schemas.registries.registry import SchemaRegistry
from streams.engine.stage import Output
from streams.errors import Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.producer import EventProducer
from streams.kafka.tailed_table import TailedTable
from streams.kafka.topic_tail import WHOLE, TopicTail
from streams.wall_clock import utc_now

TOPIC = topic_named("gateway.tokens")
REFRESH_INTERVAL_S = 1.0  # after so long at most a revoked token is refused everywhere, and a persona is another one
LEAST_INTERVAL_S = 0.1  # between looks for a token that is not known yet, whoever asks for it how often


class TokenStore(TailedTable[AccessToken]):
    """Tokens by their secrets.

    One that was made elsewhere is known with the next look at the topic. While Kafka is away, those known stay so.
    """

    def __init__(
        self,
        cluster: Cluster,
        registry: SchemaRegistry,
        producer: EventProducer,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__(TopicTail(cluster, registry, {TOPIC: WHOLE}, AccessToken))
        self.book = TokenBook()
        self._producer = producer
        self._clock = clock
        self.uses = TokenUses(cluster, registry, producer)

    def put(self, record: AccessToken) -> None:
        """Take a token in."""
        self.book.take(record)

    def drop(self, key: bytes) -> None:
        """Forget a token."""
        self.book.forget(key.decode(errors="replace"))

    async def keep_up(self) -> None:
        """Read on, tell the uses that were noted, and forget tokens that ended long ago."""
        await super().keep_up()
        await self.uses.tell()
        await self._remove(self.book.past(self._clock()))

    async def close(self) -> None:
        """Disconnect from the topics; what is known stays known."""
        await super().close()
        await self.uses.close()

    def known(self, digest: str) -> Caller | None:
        """Return who shows the secret of a digest, None where it is none that is known to hold."""
        token, now = self.book.with_digest(digest), self._clock()
        if token is None or not self.book.holds(token, now):
            return None
        self.uses.note(token.token_id, now)
        return caller_of(token)

    async def caller_with(self, digest: str) -> Caller:
        """Return who shows the secret of a digest.

        Raises:
            Refused: it is no token that holds.
        """
        if self.book.with_digest(digest) is None:
            with contextlib.suppress(Unavailable):  # what was known before stays so
                await self.refresh(max_age_s=LEAST_INTERVAL_S)
        return self.known(digest) or self.book.caller_with(digest, self._clock())

    async def write(self, token: AccessToken) -> None:
        """Make a token's record durable, and take it in.

        Raises:
            Unavailable: Kafka does not answer.
        """
        await self._producer.append_all([Output(TOPIC.name, token)])
        self.book.take(token)

    async def begin(self, session: AccessToken) -> None:
        """Make a session's record durable, and forget the oldest of its caller where these are too many.

        Raises:
            Unavailable: Kafka does not answer.
        """
        await self.write(session)
        await self._remove(self.book.surplus(session))

    async def _remove(self, token_ids: list[str]) -> None:
        if token_ids:
            await self._producer.append_raw(TOPIC.name, 0, [(each.encode(), None) for each in token_ids])
            await self.uses.forget(token_ids)
            for each in token_ids:
                self.book.forget(each)
