"""The language model client: one call, one time-out, no retries of its own; faults come out as ours."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from agents.llm.answers.answer import ProviderAnswer, answer_in, reply_of, streamed_answer
from agents.llm.answers.loose_answer import json_body, mapping_in
from agents.llm.answers.reply import Reply
from agents.llm.faults.dialects import Dialects
from agents.llm.faults.faults import NoAnswer, ParameterRefused
from agents.llm.provider import Provider, awaited, connection_to
from agents.llm.vectors_and_moderations import Embeddings, Moderation, embeddings_of, joined, moderations_of

T = TypeVar("T")

EMBED_TEXTS = 512  # texts of one call: the API takes 2,048, and 300,000 tokens
MODERATE_TEXTS = 32
MODERATION_MODEL = "omni-moderation-latest"


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a model draws its words; `seed` makes a repetition alike where the provider heeds it."""

    max_tokens: int
    temperature: float
    seed: int
    frequency_penalty: float = 0.0


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """The form an answer must have: a name and a JSON schema that is strict in OpenAI's sense."""

    name: str
    schema: Mapping[str, object]


class LanguageModelClient:
    """Calls to one provider through the real openai client.

    Every method raises what `fault_of` says: `Unavailable`, `RecordFault` or `SettingsError`. Retrying is the caller's,
    who pauses the partition meanwhile. An answer without anything in it, or that can't be read, is `NoAnswer`, which is
    `Unavailable` too and may have been paid for. A parameter that a model refuses is left out at once (Dialects).
    """

    def __init__(self, provider: Provider, *, timeout_s: float, dialects: Dialects | None = None) -> None:
        self.provider = provider
        self.dialects = dialects or Dialects()
        self._timeout_s = timeout_s
        self._client = connection_to(provider, timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def chat(
        self, *, model: str, system: str, user: str, answer: JsonSchema, sampling: Sampling, stream: bool = False
    ) -> Reply:
        """Ask for an answer of the given form; its text is JSON if the model keeps to it, which the caller checks.

        With `stream` it comes in pieces: for servers behind proxies that cut connections on which nothing moves.
        """
        asked = chat_body(model=model, system=system, user=user, answer=answer, sampling=sampling)
        return await self._reply(asked, self._streamed if stream else self._whole)

    async def complete(self, *, model: str, prompt: str, stop: Sequence[str], sampling: Sampling) -> Reply:
        """Continue a text up to one of the stops."""
        asked = {
            "model": model,
            "prompt": prompt,
            "stop": list(stop),
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "seed": sampling.seed,
            "frequency_penalty": sampling.frequency_penalty,
        }
        return await self._reply(asked, self._completed)

    async def embed(self, model: str, texts: Sequence[str]) -> Embeddings:
        """Return a vector for each text, in their order; several calls where there are many."""
        parts = []
        for start in range(0, len(texts), EMBED_TEXTS):
            some = list(texts[start : start + EMBED_TEXTS])
            parts.append(await self._guarded(model, self._embedded(model, some)))
        return joined(parts, model)

    async def moderate(self, texts: Sequence[str]) -> list[Moderation]:
        """Return what the provider's moderation says of each text, in their order."""
        found: list[Moderation] = []
        for start in range(0, len(texts), MODERATE_TEXTS):
            some = list(texts[start : start + MODERATE_TEXTS])
            found += await self._guarded(MODERATION_MODEL, self._moderated(some))
        return found

    async def models(self) -> frozenset[str]:
        """Return the names of the models that the provider offers to this account."""
        return await self._guarded(None, self._listed_models())

    async def _embedded(self, model: str, texts: list[str]) -> Embeddings:
        raw = await self._client.embeddings.with_raw_response.create(model=model, input=texts)
        return embeddings_of(mapping_in(json_body(raw.content)), len(texts), model)

    async def _moderated(self, texts: list[str]) -> list[Moderation]:
        raw = await self._client.moderations.with_raw_response.create(model=MODERATION_MODEL, input=texts)
        return moderations_of(mapping_in(json_body(raw.content)), len(texts))

    async def _listed_models(self) -> frozenset[str]:
        return frozenset([str(model.id) async for model in self._client.models.list()])

    async def _whole(self, asked: dict[str, Any]) -> ProviderAnswer:
        # as extra body it is sent as it is: the client walks through typed arguments for milliseconds a call
        raw = await self._client.chat.completions.with_raw_response.create(
            model=asked["model"], messages=(), extra_body=asked
        )
        return answer_in(raw.content)

    async def _completed(self, asked: dict[str, Any]) -> ProviderAnswer:
        raw = await self._client.completions.with_raw_response.create(
            model=asked["model"], prompt=None, extra_body=asked
        )
        return answer_in(raw.content)

    async def _streamed(self, asked: dict[str, Any]) -> ProviderAnswer:
        streamed = {**asked, "stream_options": {"include_usage": True}}
        chunks = await self._client.chat.completions.create(
            model=asked["model"], messages=(), stream=True, extra_body=streamed
        )
        async with chunks:
            return await streamed_answer(chunks)

    async def _reply(self, asked: dict[str, Any], call: Callable[[dict[str, Any]], Awaitable[ProviderAnswer]]) -> Reply:
        model, started = str(asked["model"]), time.monotonic()
        answer = await self._answered(model, asked, call)
        reply = reply_of(answer, model, round((time.monotonic() - started) * 1000))
        if not answer.is_said:
            raise NoAnswer(f"{self.provider} answered without a choice", model, reply)
        return reply

    async def _answered(
        self, model: str, asked: dict[str, Any], call: Callable[[dict[str, Any]], Awaitable[ProviderAnswer]]
    ) -> ProviderAnswer:
        """Call in the model's dialect; again at once where it refuses a parameter that can be left out."""
        while True:
            sent = self.dialects.shaped(asked)
            try:
                return await self._guarded(model, call(sent))
            except ParameterRefused as fault:
                if not self.dialects.learn(sent, asked, fault.parameter):
                    raise

    async def _guarded(self, model: str | None, call: Awaitable[T]) -> T:
        return await awaited(call, self.provider, self._timeout_s, model)


def chat_body(*, model: str, system: str, user: str, answer: JsonSchema, sampling: Sampling) -> dict[str, Any]:
    """Return the body of a chat completion of the given form, as the API takes it."""
    return {
        "model": model,
        "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": answer.name, "schema": dict(answer.schema), "strict": True},
        },
        "max_completion_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "seed": sampling.seed,
    }
