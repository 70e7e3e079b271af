"""What a model answered and what the call used."""

from __future__ import annotations

from dataclasses import dataclass

from openai.types import CompletionUsage
from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a call as the provider counts them; cached are part of prompt, reasoning part of completion."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """The text of an answer, the model as the provider names it, the tokens, and the wall time of the call.

    `text` is empty when the model said nothing; `cut_off` says that it ran into its greatest number of tokens;
    `refusal` tells why, when it refused.
    """

    text: str
    model: str
    usage: Usage
    latency_ms: int
    cut_off: bool = False
    refusal: str | None = None


class _TokenDetails(BaseModel):
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class TokenReport(BaseModel):
    """The usage that a provider reports; servers that are not OpenAI's leave parts of it out."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _TokenDetails | None = None
    completion_tokens_details: _TokenDetails | None = None


def usage_of(reported: CompletionUsage | TokenReport | None) -> Usage:
    """Return the tokens of a provider's report; details that it leaves out are 0."""
    if reported is None:
        return Usage()
    prompt, completion = reported.prompt_tokens_details, reported.completion_tokens_details
    return Usage(
        prompt_tokens=reported.prompt_tokens or 0,
        cached_tokens=(prompt.cached_tokens or 0) if prompt else 0,
        completion_tokens=reported.completion_tokens or 0,
        reasoning_tokens=(completion.reasoning_tokens or 0) if completion else 0,
    )
