"""Shares: what one call used, divided among the drafts that it answered, so that the sum is the whole."""

from __future__ import annotations

from agents.llm.answers.reply import Usage


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
