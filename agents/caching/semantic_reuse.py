"""Semantic reuse: a question that nearly repeats another gets the other's answer. Off unless the operator says so."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from agents.caching.response_cache import Question, ResponseCache, worth_keeping
from agents.embedding.embedding import Embedder
from agents.embedding.normalised_text import negations
from agents.llm.answers.reply import Reply

MAX_QUESTIONS = 20_000


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
