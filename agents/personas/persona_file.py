"""Persona files: YAML in, personas out, or every problem of every file at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml
from pydantic import ValidationError

from agents.personas.field_problems import field_problems
from agents.personas.persona import Persona
from agents.personas.strict_yaml import read_strict
from streams.errors import ThreadsError

_MAX_FILE_BYTES = 2 * 2**20


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
        problems += [f"{label}, {problem}" for problem in field_problems(error, Persona)]
        return None
