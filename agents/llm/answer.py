"""An answer as the provider said it, whole or put together from a stream, in one form for all endpoints."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import NamedTuple

from openai.types import Completion, CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk


class Answer(NamedTuple):
    """An answer as the provider said it, whole."""

    text: str | None
    model: str
    usage: CompletionUsage | None
    finish_reason: str | None
    refusal: str | None = None


def chat_answer(answer: ChatCompletion) -> Answer:
    """Return what a chat completion says."""
    choice = answer.choices[0]
    return Answer(choice.message.content, answer.model, answer.usage, choice.finish_reason, choice.message.refusal)


def completion_answer(answer: Completion) -> Answer:
    """Return what a completion says."""
    choice = answer.choices[0]
    return Answer(choice.text, answer.model, answer.usage, choice.finish_reason)


async def streamed_answer(chunks: AsyncIterable[ChatCompletionChunk]) -> Answer:
    """Return the answer whose pieces come in.

    Raises:
        ValueError: the stream ended before the answer did.
    """
    text, refusal = list[str](), list[str]()
    model, reason, usage = "", None, None
    async for chunk in chunks:
        model, usage = chunk.model or model, chunk.usage or usage
        for choice in chunk.choices:
            text.append(choice.delta.content or "")
            refusal.append(choice.delta.refusal or "")
            reason = choice.finish_reason or reason
    if reason is None:
        raise ValueError("the stream ended before the answer did")
    return Answer("".join(text), model, usage, reason, "".join(refusal) or None)
