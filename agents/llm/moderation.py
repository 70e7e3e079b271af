"""What a provider's moderation says of a text."""

from __future__ import annotations

from dataclasses import dataclass

from openai.types import ModerationCreateResponse


@dataclass(frozen=True, slots=True)
class Moderation:
    """Whether a text is flagged, and the categories that it falls under, by name."""

    flagged: bool
    categories: tuple[str, ...]


def moderations_of(answer: ModerationCreateResponse, texts: int) -> list[Moderation]:
    """Return one result a text, in their order.

    Raises:
        ValueError: the answer has another number of results.
        TypeError: a result does not say whether it flags.
    """
    if len(answer.results) != texts:
        raise ValueError(f"expected {texts} results, got {len(answer.results)}")
    found = []
    for result in answer.results:
        flagged: object = result.flagged  # whatever the server said: an unclear answer must not pass for harmless
        if not isinstance(flagged, bool):
            raise TypeError(f"expected flagged to be true or false, got {type(flagged).__name__}")
        hit = result.categories.model_dump(by_alias=True)
        found.append(Moderation(flagged, tuple(sorted(name for name, value in hit.items() if value))))
    return found
