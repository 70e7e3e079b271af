"""Fields that a model got after it was in use: while they are at their defaults, nothing tells that they are there."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel


class _Later:
    """Marks a field, by its metadata."""


LATER: Final = _Later()
"""Put into the `Annotated` of a field that came later: its default is not written out by `as_before`."""

_Excluded = dict[str, Any]


def as_before(model: BaseModel) -> dict[str, Any]:
    """Return a model as JSON-able fields, those that came later only where they are not at their defaults.

    It looks into models that are fields, not into lists of models.
    """
    return model.model_dump(mode="json", exclude=_at_defaults(model))


def _at_defaults(model: BaseModel) -> _Excluded:
    excluded: _Excluded = {}
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if LATER in field.metadata and value == field.default:
            excluded[name] = True
        elif isinstance(value, BaseModel) and (within := _at_defaults(value)):
            excluded[name] = within
    return excluded
