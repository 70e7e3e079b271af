"""Presets: the columns of known exports, as data (presets/*.yaml), so that a new export needs no code."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, field_validator

from agents.importing.fields import FIELDS, FieldMapping, ImportFault

FOLDER = files("agents.importing") / "presets"


class Preset(BaseModel):
    """What a preset file says; `columns` maps a field to a column, or to several names that it may have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    columns: dict[str, tuple[str, ...]]
    time_format: str
    persona_id: str | None = None
    post_per_row: bool = False

    @field_validator("columns", mode="before")
    @classmethod
    def _one_or_several(cls, value: dict[str, Any]) -> dict[str, Any]:
        return {name: [names] if isinstance(names, str) else names for name, names in value.items()}


def preset_names() -> list[str]:
    """Return the names of the presets there are, sorted."""
    return sorted(entry.name.removesuffix(".yaml") for entry in FOLDER.iterdir() if entry.name.endswith(".yaml"))


def load_preset(name: str) -> Preset:
    """Read a preset by name.

    Raises:
        ImportFault: there is none of that name; the text lists those there are.
    """
    if name not in preset_names():
        raise ImportFault(f"There is no preset {name!r}; choose from: {', '.join(preset_names())}.")
    return Preset.model_validate(yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8")))


def mapping_of(
    *, preset: str | None, maps: Sequence[str], persona_id: str | None, time_format: str | None
) -> FieldMapping:
    """Put together what a preset says and what the command line says; the command line wins.

    `maps` are texts FIELD=COLUMN.

    Raises:
        ImportFault: lists everything that is wrong with the mapping at once.
    """
    base = load_preset(preset) if preset else Preset(title="", columns={}, time_format="iso8601")
    columns, problems = dict(base.columns), []
    for text in maps:
        name, equals, column = text.partition("=")
        if not equals or not name or not column:
            problems.append(f"--map {text!r} is not FIELD=COLUMN, e.g. --map views=impressions")
        columns[name] = (column,)
    default_persona = None if "persona_id" in columns else base.persona_id
    mapping = FieldMapping(
        columns=columns,
        time_format=time_format or base.time_format,
        persona_id=persona_id or default_persona,
        post_per_row=base.post_per_row,
    )
    if not problems:
        problems = mapping.problems()
    if problems:
        fields = ", ".join(FIELDS)
        raise ImportFault("The mapping is not usable:\n  " + "\n  ".join(problems) + f"\nFields: {fields}.")
    return mapping
