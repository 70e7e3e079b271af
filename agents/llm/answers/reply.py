"""What a model answered and what the call used, with tokens in one convention: parts lie within their wholes.

The conventions that are read, as providers document or send them (2026-11):
- OpenAI, Groq, Mistral: cached is a part of prompt, reasoning a part of completion, total is prompt + completion.
- Anthropic: cache reads and cache writes are counted beside the input tokens.
- Gemini: thoughts are counted beside the candidates, and the total holds them; so does its OpenAI-compatible endpoint,
  which has no name for them. xAI: reasoning beside completion.
- DeepSeek: cache hits and misses add up to the prompt. Moonshot: cached tokens stand in the report itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_TOKENS = 10**8  # of one call; ten times the longest context there is: more is no count

_PROMPT = ("prompt_tokens", "input_tokens", "promptTokenCount", "inputTokens")
_COMPLETION = ("completion_tokens", "output_tokens", "candidatesTokenCount", "outputTokens")
_TOTAL = ("total_tokens", "totalTokenCount", "totalTokens")
_CACHED = ("cached_tokens", "prompt_cache_hit_tokens", "cachedContentTokenCount")
_MISSED = ("prompt_cache_miss_tokens",)
_CACHE_READ = ("cache_read_input_tokens", "cacheReadInputTokens")  # beside the input tokens
_CACHE_WRITTEN = ("cache_creation_input_tokens", "cacheWriteInputTokens")
_REASONING = ("reasoning_tokens", "thoughtsTokenCount")
_PROMPT_DETAILS = ("prompt_tokens_details", "input_tokens_details")
_COMPLETION_DETAILS = ("completion_tokens_details", "output_tokens_details")
_NATIVE_OF_ANTHROPIC = ("input_tokens", "inputTokens")


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens of a call; `prompt` and `completion` are None where the report does not say them."""

    prompt: int | None
    cached: int
    completion: int | None
    reasoning: int


@dataclass(frozen=True, slots=True)
class _Whole:
    """A count, and what may be a part of it or beside it."""

    count: int | None
    part: int = 0
    beside: int = 0  # what is never a part of it by its name


def counts_of(report: Mapping[object, object]) -> TokenCounts:
    """Return the counts of a report: cached within prompt, reasoning within completion, none negative."""
    prompt, completion = _prompt_of(report), _completion_of(report)
    total = _first(report, _TOTAL)
    cached, reasoning = prompt.part, completion.part
    sent, received = _plain(prompt), _plain(completion)
    if sent is None or received is None:
        return _within(sent, cached, received, reasoning)
    missing = 0 if total is None else total - sent - received
    is_told = missing > 0
    if reasoning > received or (is_told and reasoning and missing in (reasoning, reasoning + cached)):
        received, missing = received + reasoning, missing - reasoning
    if cached > sent or (is_told and cached and missing == cached):
        sent, missing = sent + cached, missing - cached
    if missing > 0 and not reasoning:  # thoughts without a name of their own
        received, reasoning = received + missing, missing
    return _within(sent, cached, received, reasoning)


def _plain(whole: _Whole) -> int | None:
    return None if whole.count is None else whole.count + whole.beside


def _within(prompt: int | None, cached: int, completion: int | None, reasoning: int) -> TokenCounts:
    return TokenCounts(prompt, min(cached, prompt or 0), completion, min(reasoning, completion or 0))


def _prompt_of(report: Mapping[object, object]) -> _Whole:
    """Read the prompt; cache reads and writes by Anthropic's names are beside its own count, and within OpenAI's."""
    count, cached = _first(report, _PROMPT), _detail(report, _PROMPT_DETAILS, _CACHED)
    read, written = _first(report, _CACHE_READ) or 0, _first(report, _CACHE_WRITTEN) or 0
    missed = _first(report, _MISSED)
    if count is None and missed is not None:
        count = missed + cached
    if not read and not written:
        return _Whole(count, cached)
    is_native = any(name in report for name in _NATIVE_OF_ANTHROPIC) and "prompt_tokens" not in report
    total, received = _first(report, _TOTAL), _first(report, _COMPLETION) or 0
    is_beside = is_native or (count or 0) < read + written or total == (count or 0) + read + written + received
    return _Whole(count, max(cached, read), read + written if is_beside else 0)


def _completion_of(report: Mapping[object, object]) -> _Whole:
    count, reasoning = _first(report, _COMPLETION), _detail(report, _COMPLETION_DETAILS, _REASONING)
    is_gemini_s = "candidatesTokenCount" in report or "promptTokenCount" in report
    if is_gemini_s:  # an answer of thoughts alone has no candidates
        return _Whole(count or 0, reasoning, reasoning)
    return _Whole(count, reasoning)


def _detail(report: Mapping[object, object], places: tuple[str, ...], names: tuple[str, ...]) -> int:
    for place in places:
        details = report.get(place)
        found = _first(details, names) if isinstance(details, Mapping) else None
        if found:
            return found
    return _first(report, names) or 0


def _first(report: Mapping[object, object], names: tuple[str, ...]) -> int | None:
    return next((count for name in names if (count := token_count(report.get(name))) is not None), None)


def token_count(said: object) -> int | None:
    """Return a count of tokens, also from a float or a text; None for what is none, negative or beyond belief."""
    if isinstance(said, bool) or not isinstance(said, int | float | str):
        return None
    try:
        number = float(said) if isinstance(said, str) else said
        count = int(number)
    except (ValueError, OverflowError):
        return None
    return count if count == number and 0 <= count <= MAX_TOKENS else None


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
