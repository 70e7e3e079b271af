"""The hub of the live feed: a tail and a ring for each topic that somebody listens to, and those who listen."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from agents.gateway.live.catch_up import CatchUp
from agents.gateway.live.listener import HEARTBEAT_S, Listener, Wanted
from agents.gateway.live.readers import LogReaders
from agents.gateway.live.ring import Ring
from agents.gateway.live.tail import Tail
from schemas.catalogue import topic_named
from schemas.registries.registry import SchemaRegistry
from streams.errors import ThreadsError
from streams.kafka.cluster import Cluster

CATCH_UP_READERS = 3
IDLE_S = 30.0  # that a tail goes on without listeners: who reloads a page finds it
WAKE_S = 0.02
WAKE_S_PER_LISTENER = 0.0002  # a thousand that all read are woken five times a second


class TooManyListeners(ThreadsError):
    """No listener more; `of_caller` says whether it is the caller who has as many as one may have."""

    def __init__(self, message: str, *, of_caller: bool) -> None:
        super().__init__(message)
        self.of_caller = of_caller


@dataclass(frozen=True, slots=True)
class HubLimits:
    """Bytes of a topic's newest records that are kept decoded, and how many may listen."""

    ring_bytes: int = 4 * 2**20
    listeners: int = 2_000
    listeners_per_caller: int = 1_200


@dataclass(slots=True)
class _Followed:
    """A topic that is followed: its ring, the task of its tail, and who listens."""

    ring: Ring
    task: asyncio.Task[None]
    listeners: set[Listener] = field(default_factory=set)
    end: asyncio.TimerHandle | None = None
    wake: asyncio.TimerHandle | None = None


class Hub:
    """Bring listeners and topics together, for one process; used from one event loop."""

    def __init__(
        self, cluster: Cluster, registry: SchemaRegistry, limits: HubLimits, heartbeat_s: float = HEARTBEAT_S
    ) -> None:
        """Follow topics of a cluster when somebody listens; nothing is connected yet."""
        self._cluster = cluster
        self._registry = registry
        self._limits = limits
        self._heartbeat_s = heartbeat_s
        self._decoding = ThreadPoolExecutor(2, thread_name_prefix="live")
        self._readers = LogReaders(cluster, CATCH_UP_READERS)
        self._catch_up = CatchUp(self._readers, registry, self._decoding)
        self._followed: dict[str, _Followed] = {}
        self._callers: Counter[str] = Counter()

    @property
    def listeners(self) -> int:
        """Return how many listen."""
        return self._callers.total()

    @contextmanager
    def listening(self, caller: str, wanted: Wanted) -> Iterator[Listener]:
        """Add a listener for as long as the body runs.

        Raises:
            TooManyListeners: the caller, or all together, have as many as there may be.
        """
        self._admit(caller)
        followed = [self._follow(topic) for topic in wanted.topics]
        listener = Listener(wanted, [each.ring for each in followed], self._catch_up, self._heartbeat_s)
        self._callers[caller] += 1
        for each in followed:
            each.listeners.add(listener)
        try:
            yield listener
        finally:
            self._callers[caller] -= 1
            self._callers += Counter()  # forgets callers with none
            self._leave(listener, followed)

    def end_feeds(self) -> None:
        """End all feeds, so that a server can stop; their readers come back with their positions."""
        for followed in self._followed.values():
            for listener in followed.listeners:
                listener.close()

    async def close(self) -> None:
        """End all feeds and tails, and disconnect."""
        self.end_feeds()
        tasks = [each.task for each in self._followed.values()]
        for each in list(self._followed.values()):
            self._end(each)
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._catch_up.close()
        await self._readers.close()
        self._decoding.shutdown(wait=False, cancel_futures=True)

    def _admit(self, caller: str) -> None:
        limits = self._limits
        if self._callers[caller] >= limits.listeners_per_caller:
            raise TooManyListeners(
                f"you have {limits.listeners_per_caller} live feeds open, as many as one caller may; close some first",
                of_caller=True,
            )
        if self.listeners >= limits.listeners:
            raise TooManyListeners(
                f"{limits.listeners} live feeds are open, as many as there may be; try again later", of_caller=False
            )

    def _follow(self, name: str) -> _Followed:
        followed = self._followed.get(name)
        if followed is None:
            ring = Ring(name, self._limits.ring_bytes)
            tail = Tail(
                self._cluster,
                topic_named(name),
                self._registry,
                self._decoding,
                ring=ring,
                on_news=lambda: self._on_news(name),
            )
            followed = self._followed[name] = _Followed(ring, asyncio.create_task(tail.run(), name=f"tail of {name}"))
        if followed.end is not None:
            followed.end.cancel()
            followed.end = None
        return followed

    def _leave(self, listener: Listener, followed: Iterable[_Followed]) -> None:
        for each in followed:
            each.listeners.discard(listener)
            if not each.listeners and each.end is None:
                each.end = asyncio.get_running_loop().call_later(IDLE_S, self._end, each)

    def _end(self, followed: _Followed) -> None:
        for handle in (followed.end, followed.wake):
            if handle is not None:
                handle.cancel()
        followed.task.cancel()
        self._followed.pop(followed.ring.topic, None)

    def _on_news(self, name: str) -> None:
        """Wake those who listen, after a moment that gathers what else comes."""
        followed = self._followed.get(name)
        if followed is not None and followed.wake is None and followed.listeners:
            waiting = sum(each.is_waiting for each in followed.listeners)
            delay_s = WAKE_S + WAKE_S_PER_LISTENER * waiting
            followed.wake = asyncio.get_running_loop().call_later(delay_s, self._wake, followed)

    @staticmethod
    def _wake(followed: _Followed) -> None:
        followed.wake = None
        for listener in followed.listeners:
            listener.wake()
