"""Presets of records: the columns of known exports as data (presets/*.yaml), and which of them a file is of."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, field_validator

from agents.importing.cells.visible_text import ImportFault
from agents.importing.fields import column_of
from agents.importing.records.kinds import RecordKind

FOLDER = files("agents.importing.records") / "presets"


class RecordPreset(BaseModel):
    """What a preset file says of an export.

    `columns` maps a field to the names its column may have; a file is of the export if it has one of each that is not
    `optional`, and of each of `marks`. `constants` are fields that all rows have alike, `defaults` those of rows that
    say nothing. Of a column in `only` the rows with these values alone are records; the others are left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["costs", "revenue", "posts"]
    title: str
    source: str
    columns: dict[str, tuple[str, ...]]
    optional: frozenset[str] = frozenset()
    marks: tuple[tuple[str, ...], ...] = ()
    constants: dict[str, str] = {}
    defaults: dict[str, str] = {}
    only: dict[str, tuple[str, ...]] = {}
    time_format: str = "iso8601"
    timezone: str | None = None

    @field_validator("marks", mode="before")
    @classmethod
    def _one_or_several(cls, value: Sequence[Any]) -> list[Any]:
        return [[names] if isinstance(names, str) else names for names in value]

    def is_of(self, header: Sequence[str]) -> bool:
        """Tell whether a header is that of this export."""
        needed = [names for name, names in self.columns.items() if name not in self.optional]
        return all(column_of(names, header) is not None for names in (*needed, *self.marks))


@cache
def preset_names(kind: str) -> list[str]:
    """Return the names of the presets of a kind, sorted."""
    return [name for name in _all_names() if load_preset(name).kind == kind]


@cache
def load_preset(name: str) -> RecordPreset:
    """Read a preset that there is."""
    return RecordPreset.model_validate(yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8")))


def preset_named(name: str, kind: RecordKind) -> RecordPreset:
    """Return a preset of a kind.

    Raises:
        ImportFault: there is none of that name; the text lists those there are.
    """
    if name not in preset_names(kind.name):
        known = ", ".join(preset_names(kind.name)) or "none yet"
        raise ImportFault(f"There is no preset {name!r} of {kind.name}; choose from: {known}.")
    return load_preset(name)


def preset_of(header: Sequence[str], kind: RecordKind) -> str | None:
    """Return the preset of a kind whose export has such a header: of several the one with most columns."""
    fitting = [name for name in preset_names(kind.name) if load_preset(name).is_of(header)]
    return max(fitting, key=lambda name: len(load_preset(name).columns), default=None)


@cache
def _all_names() -> list[str]:
    return sorted(entry.name.removesuffix(".yaml") for entry in FOLDER.iterdir() if entry.name.endswith(".yaml"))
