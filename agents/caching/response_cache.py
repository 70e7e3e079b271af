"""The response cache: an answer that was paid for once is given again, to the same question or one that nearly is."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from cachetools import TTLCache
from numpy.typing import NDArray

from agents.embedding.embedding import Embedder, negations
from agents.llm.answers.reply import Reply

ENTRY_BYTES = 600  # key, usage and bookkeeping of an answer beside its text, on 64-bit CPython
MAX_QUESTIONS = 20_000


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


class MemoryCache:
    """Keeps answers of one process, for `ttl_s` seconds of its clock; those asked for least lately go first."""

    def __init__(self, max_bytes: int, ttl_s: float, *, clock: Callable[[], float]) -> None:
        self._replies: TTLCache[str, Reply] = TTLCache(max_bytes, ttl_s, timer=clock, getsizeof=_size)

    @property
    def bytes(self) -> int:
        """Return what the answers take, about."""
        return int(self._replies.currsize)

    async def get(self, question: Question) -> Reply | None:
        """Return the answer, which is the last to go then."""
        return self._replies.get(question.key)

    async def put(self, question: Question, reply: Reply) -> None:
        """Keep an answer; others go until all fit. One that is too big alone is not kept."""
        if worth_keeping(reply) and _size(reply) <= self._replies.maxsize:
            self._replies[question.key] = reply

    async def close(self) -> None:
        """Forget everything."""
        self._replies.clear()


def _size(reply: Reply) -> int:
    return ENTRY_BYTES + len(reply.text.encode("utf-8", "surrogatepass"))


class SemanticReuse:
    """Wraps a cache: where it has no answer, look for that of a question whose text is at least `similarity` alike.

    The two must agree in all else: model, parameters, persona version, variation and the messages before the last; and
    deny as often, for embeddings hardly tell a text from its opposite. Questions are known to the process that asked
    them, the last 20,000.
    """

    def __init__(
        self, cache: ResponseCache, embedder: Embedder, similarity: float, *, max_questions: int = MAX_QUESTIONS
    ) -> None:
        self._cache = cache
        self._embedder = embedder
        self._similarity = similarity
        self._max_questions = max_questions
        self._order: OrderedDict[str, Question] = OrderedDict()
        self._vectors: dict[tuple[str, int], dict[str, NDArray[np.float32]]] = {}

    async def get(self, question: Question) -> Reply | None:
        """Return the answer to the question, else to the nearest one that is near enough and still has one."""
        reply = await self._cache.get(question)
        if reply is not None:
            return reply
        near = await self._nearest(question)
        return await self._cache.get(near) if near is not None else None

    async def put(self, question: Question, reply: Reply) -> None:
        """Keep an answer and remember what was asked."""
        await self._cache.put(question, reply)
        if not worth_keeping(reply):
            return
        vector = await self._vector(question)
        self._order[question.key] = question
        self._order.move_to_end(question.key)
        self._vectors.setdefault(_company(question), {})[question.key] = vector
        while len(self._order) > self._max_questions:
            key, oldest = self._order.popitem(last=False)
            company = _company(oldest)
            del self._vectors[company][key]
            if not self._vectors[company]:
                del self._vectors[company]

    async def close(self) -> None:
        """Close the cache and the embedder."""
        await self._embedder.close()
        await self._cache.close()

    async def _nearest(self, question: Question) -> Question | None:
        known = self._vectors.get(_company(question))
        if not known:
            return None
        wanted = await self._vector(question)
        keys = list(known)  # after the wait: others may have come and gone meanwhile
        likeness = np.stack([known[key] for key in keys]) @ wanted
        best = int(likeness.argmax())
        return self._order[keys[best]] if likeness[best] >= self._similarity else None

    async def _vector(self, question: Question) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = (await self._embedder.embed([question.text])).vectors[0]
        return vector


def _company(question: Question) -> tuple[str, int]:
    return question.context, negations(question.text)
