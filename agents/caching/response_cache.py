"""The response cache: an answer that was paid for once is given again to the same question."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

from agents.llm.answers.reply import Reply

ENTRY_BYTES = 600  # key, usage and bookkeeping of an answer beside its text, on 64-bit CPython


def cache_key(
    model: str,
    messages: Sequence[Mapping[str, str]],
    parameters: Mapping[str, object],
    persona_version: str,
    variation: str,
) -> str:
    """Return the key of a question: SHA-256 of its canonical JSON, in hex.

    A `seed` among the parameters is left out: it follows from the request, and would make each question new.
    `variation` is the number of the draft and of the attempt, so that a repeated attempt really asks again.
    """
    kept = {name: value for name, value in parameters.items() if name != "seed"}
    return _digest([model, [dict(each) for each in messages], kept, persona_version, variation])


@dataclass(frozen=True)
class Question:
    """All that an answer depends on; the last message is the text that semantic reuse compares."""

    model: str
    messages: Sequence[Mapping[str, str]]
    parameters: Mapping[str, object]
    persona_version: str
    variation: str

    @cached_property
    def key(self) -> str:
        """Return the key that only the very same question has."""
        return cache_key(self.model, self.messages, self.parameters, self.persona_version, self.variation)

    @cached_property
    def context(self) -> str:
        """Return the key that questions share which differ in nothing but the last message."""
        return cache_key(self.model, self.messages[:-1], self.parameters, self.persona_version, self.variation)

    @property
    def text(self) -> str:
        """Return the last message."""
        return self.messages[-1]["content"]


class ResponseCache(Protocol):
    """Keeps answers by their questions.

    A cache is never at fault: one that is away has no answer and keeps none. The usage of a reply from a cache is what
    the call spent when it was made; nothing was spent now.
    """

    async def get(self, question: Question) -> Reply | None:
        """Return the answer to the question; None where none is kept, or it is too old."""
        ...

    async def put(self, question: Question, reply: Reply) -> None:
        """Keep an answer that is `worth_keeping`, instead of an older one."""
        ...

    async def close(self) -> None:
        """Release what the cache holds."""
        ...


class NoCache:
    """Keeps nothing."""

    async def get(self, question: Question) -> Reply | None:
        """Return None."""
        del question
        return None

    async def put(self, question: Question, reply: Reply) -> None:
        """Forget the answer."""

    async def close(self) -> None:
        """Do nothing: there is nothing to release."""


def worth_keeping(reply: Reply) -> bool:
    """Tell whether an answer is whole: not empty, not refused, not cut off."""
    return bool(reply.text) and reply.refusal is None and not reply.cut_off


def _digest(value: object) -> str:
    canonical = json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


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
