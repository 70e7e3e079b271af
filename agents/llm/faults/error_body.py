"""The body of an error in one form, whichever vendor's dialect it is in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agents.llm.answers.loose_answer import clean_name

MAX_WORDS = 4_000  # of a message that are looked at
MAX_DEPTH = 6
_LABELS = ("code", "type", "status", "reason", "error_type")
_ECHOES = frozenset(("flagged_input", "input", "prompt"))  # what the caller said, told back
_PLAIN = re.compile(r"[\w /.:-]{1,40}")
_WHOLE = ("error", "message", "detail", "innererror", "metadata", "provider_specific_fields", "details", "raw")


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What is read of an error.

    `labels` are its codes, types and reasons, in lower case; `words` its message, in lower case; `parameters` those
    that it names as refused; `categories` those for which a filter refused a text; `code` what it is called by, empty
    where it has no name; `retry_after_s` a wait that it asks for.
    """

    labels: frozenset[str] = frozenset()
    words: str = ""
    parameters: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    code: str = ""
    retry_after_s: float | None = None


NOTHING_SAID = ErrorBody()


def error_body(said: object) -> ErrorBody:
    """Read an error: an object, a list around one, a text, or JSON within a text. Any form is read somehow."""
    parts = list(_parts(said, 0))
    objects = [each for each in parts if isinstance(each, Mapping)]
    labels = [clean_name(each.get(name)) for each in objects for name in _LABELS]
    words = " ".join(each[:MAX_WORDS] for each in parts if isinstance(each, str))
    return ErrorBody(
        labels=frozenset(each.casefold() for each in labels if each),
        words=words[:MAX_WORDS].casefold(),
        parameters=tuple(dict.fromkeys(_parameters(objects))),
        categories=tuple(dict.fromkeys(each for each in _categories(objects) if _PLAIN.fullmatch(each))),
        code=next((each for each in labels if each and not each.isdigit() and _PLAIN.fullmatch(each)), ""),
        retry_after_s=next((wait for each in objects if (wait := _seconds(each.get("retryDelay"))) is not None), None),
    )


def _parts(said: object, depth: int) -> Iterator[object]:
    """Yield the objects and texts of an error, from the outside in; JSON that came as a text is taken apart too."""
    if depth > MAX_DEPTH:
        return
    if isinstance(said, str):
        inner = _json_in(said)
        if inner is None:
            yield said
        else:
            yield from _parts(inner, depth + 1)
    elif isinstance(said, list):
        for each in said[:20]:
            yield from _parts(each, depth + 1)
    elif isinstance(said, Mapping):
        yield said
        texts = {str(name): value for name, value in said.items() if name not in _ECHOES}
        yield from (texts[name] for name in ("msg", "error_message", "error_description") if name in texts)
        for name in _WHOLE:
            if name in texts:
                yield from _parts(texts[name], depth + 1)


def _json_in(said: str) -> object:
    start = said.lstrip()[:1]
    if start not in ("{", "["):
        return None
    try:
        found: object = json.loads(said)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list | Mapping) else None


def _parameters(objects: list[Mapping[object, object]]) -> Iterator[str]:
    """Yield the names of parameters: OpenAI's `param`, and FastAPI's `loc` where it names one of the body."""
    for each in objects:
        named, place = each.get("param"), each.get("loc")
        if isinstance(named, str) and named:
            yield re.split(r"[.\[]", clean_name(named))[0]
        if isinstance(place, list) and place[:1] == ["body"] and len(place) > 1 and isinstance(place[1], str):
            yield clean_name(place[1])


def _categories(objects: list[Mapping[object, object]]) -> Iterator[str]:
    """Yield the categories of a moderation: OpenRouter lists reasons, Azure tells each filter's result."""
    for each in objects:
        reasons, results = each.get("reasons"), each.get("content_filter_result")
        if isinstance(reasons, list):
            yield from (clean_name(reason) for reason in reasons[:20])
        if isinstance(results, Mapping):
            hit = [name for name, found in results.items() if isinstance(found, Mapping) and found.get("filtered")]
            yield from (clean_name(name) for name in hit)


def _seconds(said: object) -> float | None:
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,9})?)s", said) if isinstance(said, str) else None
    return float(found[1]) if found else None
