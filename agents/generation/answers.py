"""Answers: what a writer got from a model for each assignment of a burst, and what spared tokens on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.utils.json import parse_json_markdown

from agents.llm.reply import Reply


@dataclass(frozen=True, slots=True)
class Thrift:
    """Prompt tokens that a call did not need (an estimate), and the dearer model that it did without."""

    template_tokens: int = 0
    burst_tokens: int = 0
    instead_of_model: str | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """The reply to one call, and of it the texts for each assignment, in order; none where the model gave none.

    `from_cache` says that the reply is a remembered one: nobody was called, its usage was spared. `batch` says that it
    came by the provider's batch API.
    """

    reply: Reply
    texts: tuple[tuple[str, ...], ...]
    from_cache: bool = False
    batch: bool = False
    thrift: Thrift = Thrift()


def answers_in(content: str, field: str, count: int) -> tuple[tuple[str, ...], ...]:
    """Return the texts of `count` answers from {"answers": [{field: text or list of texts}, ...]}.

    JSON that is wrapped in a code fence, surrounded by talk or cut off is repaired as far as it goes
    (langchain_core.utils.json); an answer that is missing or of another form is empty.
    """
    found = _parsed(content)
    listed = found.get("answers") if isinstance(found, dict) else None
    entries: Sequence[object] = listed if isinstance(listed, list) else ()
    texts = [_texts(entry.get(field) if isinstance(entry, dict) else None) for entry in entries[:count]]
    return tuple(texts + [()] * (count - len(texts)))


def _parsed(content: str) -> object:
    start = content.find("{")
    try:
        return parse_json_markdown(content[start:]) if start >= 0 else None
    except (ValueError, RecursionError):  # what json raises; nothing of it can be repaired
        return None


def _texts(value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(each.strip() for each in values if isinstance(each, str) and each.strip())


def answers_schema(field: str, count: int, texts: int) -> dict[str, object]:
    """Return the JSON schema of `count` answers whose field is a text, or a list of `texts` where that is over 1."""
    text: dict[str, object] = {"type": "string"}
    many: dict[str, object] = {"type": "array", "items": text, "minItems": texts, "maxItems": texts}
    entry: dict[str, object] = {
        "type": "object",
        "properties": {field: many if texts > 1 else text},
        "required": [field],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"answers": {"type": "array", "items": entry, "minItems": count, "maxItems": count}},
        "required": ["answers"],
        "additionalProperties": False,
    }
