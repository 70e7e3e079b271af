"""An answer as the provider said it, whole or put together from a stream, in one form for all endpoints."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Any, NamedTuple

from openai.types.chat import ChatCompletionChunk
from pydantic import BaseModel, Field, ValidationError

from agents.llm.answers.loose_answer import Loose, clean_name, clean_text, loose_answer
from agents.llm.answers.reply import Reply, usage_of

CUT_OFF = frozenset(("length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"))
_FILTERED = (
    "content_filter",
    "safety",
    "prohibited",
    "blocklist",
    "recitation",
    "spii",
    "refusal",
    "guardrail",
    "blocked",
    "sensitive",
)  # parts of reasons for which a provider's own filter ends an answer: OpenAI, Azure, Gemini, Anthropic, Bedrock, Zhipu


class ProviderAnswer(NamedTuple):
    """An answer as the provider said it, whole. `usage` is its report as it came; `is_said` False: no choice in it."""

    text: str | None
    model: str
    usage: object
    finish_reason: str | None
    refusal: str | None = None
    is_said: bool = True


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class ChatBody(BaseModel):
    """The body of a chat completion, as much of it as is read: servers differ in the rest.

    The client's own types hold all of it, and take .7 ms a call to build.
    """

    choices: tuple[_Choice, ...] = Field(min_length=1)
    model: str = ""
    usage: dict[str, Any] | None = None
    error: None = None  # a server that has one to tell does not answer, whatever else it sends

    def answer(self) -> ProviderAnswer:
        """Return what it says."""
        choice = next((each for each in self.choices if each.message.content), self.choices[0])
        return ProviderAnswer(
            choice.message.content, self.model, self.usage, choice.finish_reason, choice.message.refusal
        )


def answer_in(body: bytes) -> ProviderAnswer:
    """Return the answer in a body: of a chat completion as OpenAI sends it, else of whatever resembles one.

    Raises:
        ErrorAnswered: the body tells an error instead.
        ValueError: nothing in it is an answer.
    """
    try:
        return ChatBody.model_validate_json(body).answer()
    except ValidationError:
        return _of(loose_answer(body))


def _of(found: Loose) -> ProviderAnswer:
    return ProviderAnswer(found.text, found.model, found.usage, found.finish_reason, found.refusal, found.is_said)


async def streamed_answer(chunks: AsyncIterable[ChatCompletionChunk]) -> ProviderAnswer:
    """Return the answer whose pieces come in.

    Raises:
        ValueError: the stream ended before the answer did.
    """
    text, refusal = list[str](), list[str]()
    model, reason, usage = "", None, None
    async for chunk in chunks:
        model, usage = chunk.model or model, chunk.usage.model_dump() if chunk.usage else usage
        for choice in chunk.choices:
            text.append(choice.delta.content or "")
            refusal.append(choice.delta.refusal or "")
            reason = choice.finish_reason or reason
    if reason is None:
        raise ValueError("the stream ended before the answer did")
    return ProviderAnswer("".join(text), model, usage, reason, "".join(refusal) or None)


def reply_of(answer: ProviderAnswer, asked: str, latency_ms: int) -> Reply:
    """Return the reply of an answer: its texts cleaned, the model that was asked where it names none."""
    reason = clean_name(answer.finish_reason).casefold()
    text = clean_text(answer.text or "")
    refusal = clean_text(answer.refusal or "") or None
    if refusal is None and any(part in reason for part in _FILTERED):
        refusal = f"the provider's content filter ended the answer ({reason})"
    return Reply(
        text=text,
        model=clean_name(answer.model) or asked,
        usage=usage_of(answer.usage),
        latency_ms=latency_ms,
        cut_off=reason in CUT_OFF,
        refusal=refusal,
    )
