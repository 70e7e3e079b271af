"""The response cache in memory: bounded by bytes, the least lately used answers go first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from agents.caching.response_cache import Question, worth_keeping
from agents.llm.answers.reply import Reply

ENTRY_BYTES = 600  # key, usage and bookkeeping of an answer beside its text, on 64-bit CPython


class _Entry(NamedTuple):
    reply: Reply
    size: int
    expires_at: float


class MemoryCache:
    """Keeps answers of one process, for `ttl_s` seconds of its clock."""

    def __init__(self, max_bytes: int, ttl_s: float, *, clock: Callable[[], float]) -> None:
        self.bytes = 0
        self._max_bytes = max_bytes
        self._ttl_s = ttl_s
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    async def get(self, question: Question) -> Reply | None:
        """Return the answer, which is the last to go then."""
        entry = self._entries.get(question.key)
        if entry is None:
            return None
        if self._clock() >= entry.expires_at:
            self._drop(question.key)
            return None
        self._entries.move_to_end(question.key)
        return entry.reply

    async def put(self, question: Question, reply: Reply) -> None:
        """Keep an answer; others go until all fit. One that is too big alone is not kept."""
        size = ENTRY_BYTES + len(reply.text.encode("utf-8", "surrogatepass"))
        if not worth_keeping(reply) or size > self._max_bytes:
            return
        self._drop(question.key)
        self._entries[question.key] = _Entry(reply, size, self._clock() + self._ttl_s)
        self.bytes += size
        while self.bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))

    async def close(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.bytes = 0

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.bytes -= entry.size
