"""What a model answered and what the call used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agents.llm.answers.token_counts import counts_of


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a call as the provider counts them; cached are part of prompt, reasoning part of completion.

    `is_unknown` says that the provider did not tell all of them: what they cost is not known then. Usages are compared
    by their tokens.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    is_unknown: bool = field(default=False, compare=False)


UNKNOWN_USAGE = Usage(is_unknown=True)


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


def usage_of(reported: object) -> Usage:
    """Return the tokens of a provider's report in OpenAI's convention; details that it leaves out are 0.

    What is no report, or leaves out a count, is a usage that `is_unknown`. So is one of no tokens at all: a call has
    a prompt, and a server that counts none does not count.
    """
    if not isinstance(reported, Mapping):
        return UNKNOWN_USAGE
    counts = counts_of(reported)
    tokens = (counts.prompt or 0, counts.cached, counts.completion or 0, counts.reasoning)
    is_unknown = counts.prompt is None or counts.completion is None or not any(tokens)
    return Usage(*tokens, is_unknown=is_unknown)


def shares(whole: int, count: int) -> list[int]:
    """Return `count` parts of a whole that differ by one at most and add up to it; the first ones are the larger."""
    part, rest = divmod(whole, count)
    return [part + (place < rest) for place in range(count)]


def usage_shares(usage: Usage, count: int) -> list[Usage]:
    """Return `count` usages that add up to the usage; in each, cached and reasoning tokens stay a part of theirs."""
    parts = zip(
        shares(usage.prompt_tokens, count),
        shares(usage.cached_tokens, count),
        shares(usage.completion_tokens, count),
        shares(usage.reasoning_tokens, count),
        strict=True,
    )
    return [Usage(*part, is_unknown=usage.is_unknown) for part in parts]
