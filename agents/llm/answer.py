"""An answer as the provider said it, whole or put together from a stream, in one form for all endpoints."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import NamedTuple

from openai.types import Completion, CompletionUsage
from openai.types.chat import ChatCompletionChunk
from pydantic import BaseModel, Field

from agents.llm.reply import TokenReport


class Answer(NamedTuple):
    """An answer as the provider said it, whole."""

    text: str | None
    model: str
    usage: CompletionUsage | TokenReport | None
    finish_reason: str | None
    refusal: str | None = None


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
    usage: TokenReport | None = None

    def answer(self) -> Answer:
        """Return what it says."""
        choice = self.choices[0]
        return Answer(choice.message.content, self.model, self.usage, choice.finish_reason, choice.message.refusal)


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
