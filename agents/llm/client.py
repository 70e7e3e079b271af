"""The language model client: one call, one time-out, no retries of its own; faults come out as ours."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

import openai
from openai.types import Completion, CompletionUsage
from openai.types.chat import ChatCompletion

from agents.llm.faults import fault_of
from agents.llm.provider import Provider
from agents.llm.reply import Reply, usage_of
from streams.errors import Unavailable

T = TypeVar("T")


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
    who pauses the partition meanwhile.
    """

    def __init__(self, provider: Provider, *, timeout_s: float) -> None:
        self.provider = provider
        self._client = openai.AsyncOpenAI(
            base_url=provider.base_url, api_key=provider.api_key, timeout=timeout_s, max_retries=0
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def chat(self, *, model: str, system: str, user: str, answer: JsonSchema, sampling: Sampling) -> Reply:
        """Ask for an answer of the given form; its text is JSON if the model keeps to it, which the caller checks."""
        call = self._client.chat.completions.create(
            model=model,
            messages=[{"role": "system", "content": system}, {"role": "user", "content": user}],
            response_format={
                "type": "json_schema",
                "json_schema": {"name": answer.name, "schema": dict(answer.schema), "strict": True},
            },
            max_completion_tokens=sampling.max_tokens,
            temperature=sampling.temperature,
            seed=sampling.seed,
        )
        return await self._reply(model, call, _chat_answer)

    async def complete(self, *, model: str, prompt: str, stop: Sequence[str], sampling: Sampling) -> Reply:
        """Continue a text up to one of the stops."""
        call = self._client.completions.create(
            model=model,
            prompt=prompt,
            stop=list(stop),
            max_tokens=sampling.max_tokens,
            temperature=sampling.temperature,
            seed=sampling.seed,
            frequency_penalty=sampling.frequency_penalty,
        )
        return await self._reply(model, call, _completion_answer)

    async def _reply(self, model: str, call: Awaitable[T], read: Callable[[T], _Answer]) -> Reply:
        started = time.monotonic()
        try:
            answer = read(await call)
        except openai.OpenAIError as error:
            raise fault_of(error, str(self.provider), model) from error
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            # the client hands through what the server said, whatever its form: a server that does that is broken
            kind = type(error).__name__
            raise Unavailable(f"{self.provider} answered what is no answer of its API ({kind})") from error
        return Reply(
            text=answer.text or "",
            model=answer.model or model,
            usage=usage_of(answer.usage),
            latency_ms=round((time.monotonic() - started) * 1000),
            cut_off=answer.finish_reason == "length",
            refusal=answer.refusal,
        )


class _Answer(NamedTuple):
    text: str | None
    model: str
    usage: CompletionUsage | None
    finish_reason: str | None
    refusal: str | None = None


def _chat_answer(answer: ChatCompletion) -> _Answer:
    choice = answer.choices[0]
    return _Answer(choice.message.content, answer.model, answer.usage, choice.finish_reason, choice.message.refusal)


def _completion_answer(answer: Completion) -> _Answer:
    choice = answer.choices[0]
    return _Answer(choice.text, answer.model, answer.usage, choice.finish_reason)
