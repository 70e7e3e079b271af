"""Answers: what a writer got from a model for each assignment of a burst, and what spared tokens on the way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from langchain_core.utils.json import parse_partial_json

from agents.llm.answers.loose_answer import clean_text
from agents.llm.answers.reply import Reply

MAX_TEXTS = 8  # of one answer: three hooks are asked for
MAX_CHARS = 4_000  # of a text: eight times what a post holds; what is longer would only fill the state
MAX_READ_CHARS = 200_000  # that are looked through; a burst of twenty drafts is a tenth of it
MAX_REPAIRED_CHARS = 16_000  # what is cut off is repaired by trying, which takes time with the square of its length
MAX_OPEN = 50  # objects and lists that are not closed where it was cut off
MAX_STARTS = 400  # braces at which an object may begin
_THOUGHTS = re.compile(r"</(?:think|thinking|thought|reasoning)>|<\|channel\|>final<\|message\|>", re.IGNORECASE)
_OPENED = re.compile(r"<(think|thinking|thought|reasoning)>", re.IGNORECASE)
_ANSWERS = re.compile(r'\{\s*"answers"')
_DECODER = json.JSONDecoder()


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


def schema_of_answers(properties: Mapping[str, object], count: int) -> dict[str, object]:
    """Return the JSON schema of `count` answers with these properties, all of them required."""
    entry: dict[str, object] = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"answers": {"type": "array", "items": entry, "minItems": count, "maxItems": count}},
        "required": ["answers"],
        "additionalProperties": False,
    }


def listed_in(content: str) -> Sequence[object]:
    """Return the list under `answers` of the last object that has one, an empty list where there is none.

    What stands behind a model's thoughts comes before what stands within them, and a whole object before one that is
    cut off.
    """
    said = content[:MAX_READ_CHARS]
    ends = [found.end() for found in _THOUGHTS.finditer(said)]
    for text in (said[ends[-1] :], said) if ends else (said,):
        listed = [each for each in map(_listed, _objects(text)) if each]
        if listed:
            return listed[-1]
    return () if not ends and _OPENED.match(said.lstrip()) else _repaired(said)


def _objects(text: str) -> Iterator[object]:
    """Yield the objects of JSON in a text, from its beginning, none within another."""
    place, starts = text.find("{"), 0
    while place >= 0 and starts < MAX_STARTS:
        starts += 1
        try:
            found, end = _DECODER.raw_decode(text, place)
        except (ValueError, RecursionError):
            end = place + 1
        else:
            yield found
        place = text.find("{", end)


def _repaired(said: str) -> Sequence[object]:
    starts = [found.start() for found in _ANSWERS.finditer(said)]
    start = starts[-1] if starts else said.find("{")
    cut = said[start : start + MAX_REPAIRED_CHARS] if start >= 0 else ""
    if '"answers"' not in cut or cut.count("{") + cut.count("[") - cut.count("}") - cut.count("]") > MAX_OPEN:
        return ()
    try:
        return _listed(parse_partial_json(cut))
    except (ValueError, RecursionError):  # nothing of it can be repaired
        return ()


def _listed(found: object) -> Sequence[object]:
    listed = found.get("answers") if isinstance(found, dict) else None
    return listed if isinstance(listed, list) else ()
