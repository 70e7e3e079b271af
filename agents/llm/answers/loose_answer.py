"""What a provider said in whatever form: text that can be kept, and answers in parts, by other names, as a stream.

An answer is read loosely where the body is no chat completion as OpenAI sends it. What was answered is paid for, so
nothing that can be read is thrown away, and nothing that can't raises anything but `ValueError`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MAX_NAME = 200  # of a model, an id, a reason: what is longer is no name

# lone halves of surrogate pairs have no UTF-8, NUL is refused by PostgreSQL, the other controls say nothing
_UNUSABLE = re.compile(r"[\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
MAX_DEPTH = 8  # of parts within parts
_CHOICES = ("choices", "candidates", "output")
_USAGES = ("usage", "usageMetadata", "usage_metadata")
_REASONS = ("finish_reason", "finishReason", "stop_reason", "done_reason")
_CONTENTS = ("content", "parts", "text", "output_text", "value")
_TEXT_TYPES = frozenset(("text", "output_text", "message", "refusal"))
_LIST_CHARS = 2_000_000  # a text longer than that is cut: no draft needs it


def clean_text(said: str, most: int | None = None) -> str:
    """Return a text without lone surrogates and control characters but tab and line ends, cut to `most` characters.

    Two halves of a pair that came apart are one character again.
    """
    if not said.isascii():
        said = said.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return _UNUSABLE.sub("", said)[:most]


def clean_name(said: object) -> str:
    """Return a name in one line without blanks around; empty for what is no text or number."""
    if isinstance(said, bool) or not isinstance(said, str | int | float):
        return ""
    try:
        return " ".join(clean_text(str(said)[: 4 * MAX_NAME]).split())[:MAX_NAME]
    except ValueError:  # an integer of more digits than Python writes out
        return ""


def json_body(body: bytes) -> object:
    """Return what a body of JSON says; bytes that are no UTF-8 are replaced, a byte order mark is passed over.

    Raises:
        ValueError: it is no JSON, or nested too deeply to be read.
    """
    try:
        found: object = json.loads(text_of(body))
    except RecursionError as error:
        raise ValueError("expected JSON of some levels, got thousands") from error
    return found


def text_of(body: bytes) -> str:
    """Return a body as text."""
    return body.decode("utf-8-sig", "replace")


def mapping_in(said: object) -> Mapping[object, object]:
    """Return an object of JSON, also where it is wrapped in a list; an empty one for anything else."""
    if isinstance(said, list):
        return next((each for each in said if isinstance(each, Mapping)), {})
    return said if isinstance(said, Mapping) else {}


@dataclass(frozen=True, slots=True)
class Loose:
    """What was found: `is_said` tells whether there was a choice at all, if only an empty one."""

    text: str
    model: str
    usage: object
    finish_reason: str | None
    refusal: str | None
    is_said: bool


class ErrorAnswered(ValueError):
    """A server that answered with success, and an error in the body: `error` is what it says of it."""

    def __init__(self, error: object) -> None:
        super().__init__("expected an answer, got an error with a status of success")
        self.error = error


def loose_answer(body: bytes) -> Loose:
    """Return the answer in a body.

    Raises:
        ErrorAnswered: it says an error, and no text.
        ValueError: it is no answer.
    """
    text = text_of(body).lstrip()
    if text.startswith(("data:", "event:", "id:", ":")):
        return _of_events(text)
    return _of_object(mapping_in(json_body(body)))


def _of_object(said: Mapping[object, object]) -> Loose:
    if "error" in (said.get("object"), said.get("type")) and not said.get("error"):
        raise ErrorAnswered(said)
    choices = _choices(said)
    choice = next((each for each in choices if _text(each)), choices[0] if choices else {})
    text, error = _text(choice), said.get("error") or choice.get("error")
    usage = _first(said, _USAGES)
    if error and not text:
        raise ErrorAnswered(error)
    if not choices and usage is None and not any(name in said for name in _CHOICES):
        raise ValueError("expected a chat completion, got JSON without choices and usage")
    return Loose(
        text=text,
        model=_name(_first(said, ("model", "modelVersion"))),
        usage=usage,
        finish_reason=_name(_first(choice, _REASONS) or _first(said, _REASONS) or _blocked(said)) or None,
        refusal=_refusal(choice) or None,
        is_said=bool(choices) or _blocked(said) is not None,
    )


def _choices(said: Mapping[object, object]) -> list[Mapping[object, object]]:
    """Return the choices; an answer that has none of them but a message or content itself is one."""
    for name in _CHOICES:
        listed = said.get(name)
        if isinstance(listed, list):
            return [each for each in listed if isinstance(each, Mapping)]
        if isinstance(listed, Mapping):
            return [listed]
    return [said] if any(name in said for name in ("message", "content", "text")) else []


def _text(choice: Mapping[object, object]) -> str:
    message = choice.get("message") or choice.get("delta")
    if isinstance(message, str):
        return message
    return _joined(message if isinstance(message, Mapping) else choice)


def _refusal(choice: Mapping[object, object]) -> str:
    message = choice.get("message") or choice.get("delta")
    holder = message if isinstance(message, Mapping) else choice
    refused = _joined(holder.get("refusal"))
    return refused or "".join(_refusals(holder.get("content"), 0))


def _joined(said: object) -> str:
    return "".join(_texts(said, 0))[:_LIST_CHARS]


def _texts(said: object, depth: int) -> Iterator[str]:
    """Yield the texts of content: a text, a part, or a list of them; thoughts, tools and refusals are none."""
    if isinstance(said, str):
        yield said
    elif depth > MAX_DEPTH:
        return
    elif isinstance(said, list):
        for each in said:
            yield from _texts(each, depth + 1)
    elif isinstance(said, Mapping) and _is_text(said):
        yield from _texts(_first(said, _CONTENTS), depth + 1)


def _is_text(part: Mapping[object, object]) -> bool:
    kind = part.get("type")
    return part.get("thought") is not True and (not isinstance(kind, str) or kind in _TEXT_TYPES - {"refusal"})


def _refusals(said: object, depth: int) -> Iterator[str]:
    if isinstance(said, list) and depth <= MAX_DEPTH:
        for each in said:
            yield from _refusals(each, depth + 1)
    elif isinstance(said, Mapping):
        yield from _texts(said.get("refusal"), depth + 1)


def _blocked(said: Mapping[object, object]) -> object:
    """Return why Gemini did not answer the prompt at all; None where it does not say so."""
    feedback = said.get("promptFeedback")
    return feedback.get("blockReason") if isinstance(feedback, Mapping) else None


def _of_events(text: str) -> Loose:
    """Put an answer together from server-sent events."""
    pieces, refusals = list[str](), list[str]()
    model, reason, usage, seen = "", None, None, False
    for event in _events(text):
        if event.get("error") and not pieces:
            raise ErrorAnswered(event["error"])
        model = _name(event.get("model")) or model
        usage = _first(event, _USAGES) or usage
        for choice in _choices(event)[:1]:
            seen = True
            pieces.append(_text(choice))
            refusals.append(_refusal(choice))
            reason = _name(_first(choice, _REASONS)) or reason
    if not seen and usage is None:
        raise ValueError("expected a chat completion, got events without any")
    return Loose("".join(pieces)[:_LIST_CHARS], model, usage, reason or "length", "".join(refusals) or None, seen)


def _events(text: str) -> Iterator[Mapping[object, object]]:
    for line in text.split("\n"):  # splitlines would split within texts, too
        if line.startswith("data:"):
            try:
                yield mapping_in(json.loads(line.removeprefix("data:")))
            except (ValueError, RecursionError):  # "[DONE]", or a line that was cut off
                continue


def _name(said: object) -> str:
    return str(said) if isinstance(said, str | int | float) and not isinstance(said, bool) else ""


def _first(said: Mapping[object, object], names: tuple[str, ...]) -> object:
    return next((said[name] for name in names if said.get(name) is not None), None)
