"""Persona files: YAML in, personas out, or every problem of every file at once; and where the samples are."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from agents.personas.persona import Persona
from agents.personas.strict_yaml import read_strict
from streams.errors import ThreadsError

_MAX_FILE_BYTES = 2 * 2**20
_MAX_SHOWN = 80
_AS_A_WHOLE = "as a whole"
_VALUE_ERROR = "Value error, "
FOLDER = Path(__file__).with_name("samples")
SAMPLES = tuple(
    FOLDER / f"{persona_id}.yaml"
    for persona_id in (
        "night-shift-nora",
        "ledger-lou",
        "balcony-bea",
        "cocina-carla",
        "pendler-jonas",
        "repair-rosa",
        "barrio-mateo",
        "werkbank-wiebke",
        "hrushka-olena",
        "potiah-taras",
    )
)


class PersonaFileError(ThreadsError):
    """Persona files hold mistakes: nothing of them was applied; the text lists each with file, persona and field."""


def read_personas(paths: Sequence[Path]) -> list[Persona]:
    """Read the personas of all files, in order.

    One bad field refuses all of them: a persona that is silently left out would be noticed only when its posts stop.

    Raises:
        PersonaFileError: lists every problem of every file.
    """
    personas: list[Persona] = []
    problems: list[str] = []
    seen: dict[str, Path] = {}
    for path in paths:
        for position, entry in enumerate(_entries(path, problems)):
            persona = _persona(path, position, entry, problems)
            if persona is None:
                continue
            if persona.persona_id in seen:
                other = seen[persona.persona_id].name
                problems.append(f"{path.name}: persona {persona.persona_id!r} is also in {other}; keep one")
            seen[persona.persona_id] = path
            personas.append(persona)
    if problems:
        listed = "\n  ".join(problems)
        raise PersonaFileError(f"No persona was applied; correct {len(problems)} problem(s):\n  {listed}")
    return personas


def _entries(path: Path, problems: list[str]) -> list[object]:
    """Return the entries of a file; what keeps it from being read, or a key that stands twice, is a problem."""
    try:
        size = path.stat().st_size
        if size > _MAX_FILE_BYTES:
            problems.append(f"{path.name}: has {size} bytes of at most {_MAX_FILE_BYTES}; split it")
            return []
        document = read_strict(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        problems.append(f"{path}: can't be read ({error.strerror})")
        return []
    except UnicodeDecodeError as error:
        problems.append(f"{path.name}: is not UTF-8 at byte {error.start}; save it as UTF-8")
        return []
    except yaml.YAMLError as error:
        problems.append(f"{path.name}: is not YAML as expected ({' '.join(str(error).split())})")
        return []
    problems += [f"{path.name}: {repeated}; keep one" for repeated in document.repeated_keys]
    content = document.content
    entries = content.get("personas") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        problems.append(f"{path.name}: expected a mapping with a list `personas`, as in agents/personas/samples")
        return []
    assert isinstance(content, dict)
    problems += [
        f"{path.name}: {str(key)[:80]!r} stands next to `personas` and means nothing there; remove it"
        for key in content
        if key != "personas"
    ]
    return entries


def _persona(path: Path, position: int, entry: object, problems: list[str]) -> Persona | None:
    named = entry.get("persona_id") if isinstance(entry, dict) else None
    label = f"{path.name}: persona " + (repr(named) if isinstance(named, str) else f"number {position + 1}")
    try:
        return Persona.model_validate(entry)
    except ValidationError as error:
        problems += [f"{label}, {problem.line}" for problem in field_problems(error)]
        return None


@dataclass(frozen=True, slots=True)
class PersonaProblem:
    """What is wrong with one field of a persona; `path` leads to it, and is empty for the persona as a whole."""

    path: tuple[str | int, ...]
    line: str


def field_problems(error: ValidationError, model: type[BaseModel] = Persona) -> list[PersonaProblem]:
    """Return every problem of every field, in the order of the fields."""
    items = error.errors(include_url=False)
    return [PersonaProblem(item["loc"], _line(item, model)) for item in items if not _follows_from_others(item, items)]


def _follows_from_others(item: ErrorDetails, items: Sequence[ErrorDetails]) -> bool:
    """Tell whether a list is short only because pydantic leaves out its bad items, which have lines of their own."""
    within = item["loc"]
    return item["type"] == "too_short" and any(
        len(each["loc"]) > len(within) and each["loc"][: len(within)] == within for each in items
    )


def _line(item: ErrorDetails, model: type[BaseModel]) -> str:
    field = ".".join(str(part) for part in item["loc"]) or _AS_A_WHOLE
    said = item["msg"].removeprefix(_VALUE_ERROR)
    if item["type"] == "missing":
        return f"{field}: is missing; add it"
    if item["type"] == "extra_forbidden":
        return f"{field}: is no field here; {_advice(item, model)}"
    if field == _AS_A_WHOLE and item["type"] == "value_error":
        return said  # a contradiction between fields names them itself
    return f"{field}: {said}, got {_shown(item['input'])}"


def _advice(item: ErrorDetails, model: type[BaseModel]) -> str:
    """Return the nearest name for a field of the persona itself, else the advice to remove it."""
    name = str(item["loc"][-1])
    near = difflib.get_close_matches(name, model.model_fields, n=1) if len(item["loc"]) == 1 else []
    return f"did you mean {near[0]}?" if near else "remove it or correct its name"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."
