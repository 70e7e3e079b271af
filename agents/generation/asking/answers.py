"""Answers: what a writer got from a model for each assignment of a burst, and what spared tokens on the way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from agents.llm.answers.listed import listed_in, schema_of_answers
from agents.llm.answers.loose_answer import clean_text
from agents.llm.answers.reply import Reply

MAX_TEXTS = 8  # of one answer: three hooks are asked for
MAX_CHARS = 4_000  # of a text: eight times what a post holds; what is longer would only fill the state


@dataclass(frozen=True, slots=True)
class Thrift:
    """Prompt tokens that a call did not need (an estimate), and the dearer model that it did without."""

    template_tokens: int = 0
    burst_tokens: int = 0
    instead_of_model: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What one assignment got: texts, none where the model gave none.

    `cached` is the remembered reply that they were taken from: nobody was asked, and what it once used was spared.
    """

    texts: tuple[str, ...]
    cached: Reply | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to the assignments of a burst, in order, and the reply to the call for those that were not cached.

    `reply` is None where all were. `batch` says that it came by the provider's batch API.
    """

    of: tuple[Answer, ...]
    reply: Reply | None
    batch: bool = False
    thrift: Thrift = Thrift()


def answered(reply: Reply, texts: Sequence[tuple[str, ...]], *, batch: bool = False) -> Answers:
    """Return the answers that one call gave to all assignments."""
    return Answers(tuple(Answer(each) for each in texts), reply, batch)


def answer_text(field: str, texts: Sequence[str]) -> str:
    """Return an answer to one assignment as a model would give it: what `answers_in` reads."""
    return json.dumps({"answers": [{field: list(texts)}]}, ensure_ascii=False)


def answers_in(content: str, field: str, count: int) -> tuple[tuple[str, ...], ...]:
    """Return the texts of `count` answers from {"answers": [{field: text or list of texts}, ...]}.

    It is found among thoughts, talk, code fences and other JSON; one that is cut off is repaired as far as it goes. An
    answer that is missing or of another form is empty. Texts are cleaned of what can't be kept, and cut.
    """
    listed = listed_in(content)
    texts = [_texts(entry.get(field) if isinstance(entry, dict) else None) for entry in listed[:count]]
    return tuple(texts + [()] * (count - len(texts)))


def _texts(value: object) -> tuple[str, ...]:
    values = value[:MAX_TEXTS] if isinstance(value, list) else [value]
    cleaned = (clean_text(each[: 2 * MAX_CHARS], MAX_CHARS).strip() for each in values if isinstance(each, str))
    return tuple(each for each in cleaned if each)


def answers_schema(field: str, count: int, texts: int) -> dict[str, object]:
    """Return the JSON schema of `count` answers whose field is a text, or a list of `texts` where that is over 1."""
    text: dict[str, object] = {"type": "string"}
    many: dict[str, object] = {"type": "array", "items": text, "minItems": texts, "maxItems": texts}
    return schema_of_answers({field: many if texts > 1 else text}, count)
