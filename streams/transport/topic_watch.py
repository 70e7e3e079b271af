"""The watch over a role's topics: partitions that nobody reads, a topic that was made again, one that is gone."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Protocol

from aiokafka.errors import KafkaError

from streams.engine.batch import TopicPartition
from streams.errors import ThreadsError
from streams.kafka.topic_ids import TopicNow

logger = logging.getLogger(__name__)

MOST_PATIENCE_S = 60.0  # between two attempts where sharing out anew changes nothing


class ChangelogLost(ThreadsError):
    """A changelog is not the one that the state was written to: what is appended to it is no whole state."""


class Group(Protocol):
    """What the watch asks of the consumer; each call raises KafkaError or TimeoutError while the broker is away."""

    topic_news: asyncio.Event

    async def topics_now(self, names: Iterable[str]) -> Mapping[str, TopicNow]:
        """Return those of the topics that are there."""

    def difference(self, topic: str, now: TopicNow) -> str | None:
        """Return how a topic is not the one that this worker's partitions are of; None where it is."""

    async def shared_out(self) -> set[TopicPartition] | None:
        """Return the partitions that the group's members have; None while they are being shared out."""

    async def rejoin(self) -> None:
        """Leave the group and join again, so that it shares out its partitions anew."""


class TopicWatch:
    """Compare every `interval_s` seconds, or at news, the topics as they are with what the group reads of them.

    Where they differ the group shares out its partitions anew; what is another log then is begun anew. Kafka itself
    does so only for a leader that knows that it leads, which a static member that was restarted does not.
    """

    def __init__(
        self,
        role: str,
        topics: Iterable[str],
        group: Group,
        interval_s: float,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        changelogs: Iterable[str] = (),
    ) -> None:
        self._role = role
        self._topics = sorted(set(topics))
        self._group = group
        self._interval_s = interval_s
        self._monotonic = monotonic
        self._changelogs = sorted(set(changelogs))
        self._known_changelogs: dict[str, TopicNow] = {}
        self._missing: set[str] = set()
        self._patience_s = interval_s
        self._not_before_s = 0.0

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self._news()
            try:
                await self.look()
            except (KafkaError, TimeoutError) as error:
                logger.debug("%s: the broker does not tell of its topics: %r", self._role, error)

    async def _news(self) -> None:
        """Wait for news or the next look; that a topic is missing stays news as long as it is read."""
        if self._missing:
            await asyncio.sleep(self._interval_s)
        else:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval_s):
                    await self._group.topic_news.wait()
        self._group.topic_news.clear()

    async def look(self) -> None:
        """Look once, and act on what is found.

        Raises:
            ChangelogLost: the state of the role is not in its changelog any more.
            KafkaError: the broker is away, as with TimeoutError.
        """
        now = dict(await self._group.topics_now([*self._topics, *self._changelogs]))
        self._check_changelogs({name: now.pop(name) for name in self._changelogs if name in now})
        self._tell_missing(set(self._topics) - now.keys())
        reason = self._another(now) or await self._unread(now)
        if reason is None:
            self._patience_s, self._not_before_s = self._interval_s, 0.0
        elif self._monotonic() >= self._not_before_s:
            self._not_before_s = self._monotonic() + self._patience_s
            self._patience_s = min(2 * self._patience_s, MOST_PATIENCE_S)
            logger.warning("%s: %s; the group shares out its partitions anew", self._role, reason)
            await self._group.rejoin()

    def _check_changelogs(self, now: Mapping[str, TopicNow]) -> None:
        for name, before in self._known_changelogs.items():
            found = now.get(name)
            if found is None or found.is_another_than(before):
                raise ChangelogLost(
                    f"{self._role}: the changelog {name} was deleted{'' if found is None else ' and made again'}; "
                    "the worker starts again, and writes its local copy of the state to it"
                )
        self._known_changelogs |= now

    def _tell_missing(self, missing: set[str]) -> None:
        for topic in sorted(missing - self._missing):
            logger.warning(
                "%s: topic %s is not there; it is waited for: run `threads-agent topics create`", self._role, topic
            )
        for topic in sorted(self._missing - missing):
            logger.warning("%s: topic %s is there again", self._role, topic)
        self._missing = missing

    def _another(self, now: Mapping[str, TopicNow]) -> str | None:
        found = [self._group.difference(topic, each) for topic, each in now.items()]
        return ", ".join(each for each in found if each is not None) or None

    async def _unread(self, now: Mapping[str, TopicNow]) -> str | None:
        shared = await self._group.shared_out()
        if shared is None:
            return None
        there = {TopicPartition(topic, number) for topic, found in now.items() for number in range(found.partitions)}
        if unread := sorted(there - shared):
            return f"nobody reads {_named(unread)}"
        gone = sorted(shared - there)
        return f"there is no {_named(gone)} any more" if gone else None


def _named(sources: Iterable[TopicPartition]) -> str:
    return ", ".join(f"{source.topic}/{source.partition}" for source in sources)
