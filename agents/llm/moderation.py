"""What a provider's moderation says of a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agents.llm.answers.loose_answer import ErrorAnswered
from agents.llm.answers.said_text import clean_name


@dataclass(frozen=True, slots=True)
class Moderation:
    """Whether a text is flagged, and the categories that it falls under, by name."""

    flagged: bool
    categories: tuple[str, ...]


def moderations_of(answer: Mapping[object, object], texts: int) -> list[Moderation]:
    """Return one result a text, in their order.

    Raises:
        ErrorAnswered: the answer is an error.
        ValueError: the answer has another number of results.
        TypeError: a result does not say whether it flags.
    """
    listed = answer.get("results")
    if answer.get("error") and not listed:
        raise ErrorAnswered(answer["error"])
    results = listed if isinstance(listed, list) else []
    if len(results) != texts:
        raise ValueError(f"expected {texts} results, got {len(results)}")
    return [_moderation(each) for each in results]


def _moderation(result: object) -> Moderation:
    """Read a result whatever the server said: an unclear answer must not pass for harmless."""
    flagged = result.get("flagged") if isinstance(result, Mapping) else None
    if not isinstance(result, Mapping) or not isinstance(flagged, bool):
        raise TypeError(f"expected flagged to be true or false, got {type(flagged).__name__}")
    categories = result.get("categories")
    hit = categories.items() if isinstance(categories, Mapping) else ()
    return Moderation(flagged, tuple(sorted(clean_name(name) for name, value in hit if value is True)))
