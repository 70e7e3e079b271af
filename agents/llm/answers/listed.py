"""Lists in answers: the form in which a model is asked for one answer each, and what is found of it in what it said."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from langchain_core.utils.json import parse_partial_json

MAX_READ_CHARS = 200_000  # that are looked through; a burst of twenty drafts is a tenth of it
MAX_REPAIRED_CHARS = 16_000  # what is cut off is repaired by trying, which takes time with the square of its length
MAX_OPEN = 50  # objects and lists that are not closed where it was cut off
MAX_STARTS = 400  # braces at which an object may begin
_THOUGHTS = re.compile(r"</(?:think|thinking|thought|reasoning)>|<\|channel\|>final<\|message\|>", re.IGNORECASE)
_OPENED = re.compile(r"<(think|thinking|thought|reasoning)>", re.IGNORECASE)
_ANSWERS = re.compile(r'\{\s*"answers"')
_DECODER = json.JSONDecoder()


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
