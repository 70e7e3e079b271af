"""What is wrong with the fields of a persona, one line each: the field, what was expected, what came, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_MAX_SHOWN = 80
_AS_A_WHOLE = "as a whole"
_VALUE_ERROR = "Value error, "


def field_problems(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Return one line for each problem of each field, in the order of the fields."""
    items = error.errors(include_url=False)
    return [_line(item, model) for item in items if not _follows_from_others(item, items)]


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
