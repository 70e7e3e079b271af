"""Presets: the columns of known exports, as data (presets/*.yaml), and which of them a file is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, field_validator

from agents.importing.cells.numbers import NumberFormat
from agents.importing.cells.visible_text import ImportFault, heading
from agents.importing.fields import (
    COUNT_FIELDS,
    DEFAULT_SOURCE,
    FIELDS,
    Counts,
    Falls,
    FieldMapping,
    column_of,
)
from agents.importing.sources.source import Source

FOLDER = files("agents.importing") / "presets"
NO_TIME_FORMAT = "iso8601"


class Preset(BaseModel):
    """What a preset file says; `columns` maps a field to a column, or to the names that it has in several languages.

    A file is of this preset by its header: it has all columns that are not `optional`, one of each of `marks`, and one
    of `titles` above it, where there are any.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    columns: dict[str, tuple[str, ...]]
    time_format: str
    persona_id: str | None = None
    post_per_row: bool = False
    optional: frozenset[str] = frozenset()
    marks: tuple[tuple[str, ...], ...] = ()
    titles: tuple[str, ...] = ()
    subtracted: dict[str, tuple[str, ...]] = {}
    post_id_pattern: str | None = None
    source: str = DEFAULT_SOURCE
    counts: Counts | None = None
    timezone: str | None = None

    @field_validator("columns", "subtracted", mode="before")
    @classmethod
    def _one_or_several(cls, value: dict[str, Any]) -> dict[str, Any]:
        return {name: [names] if isinstance(names, str) else names for name, names in value.items()}

    @field_validator("marks", mode="before")
    @classmethod
    def _one_or_several_marks(cls, value: Sequence[Any]) -> list[Any]:
        return [[names] if isinstance(names, str) else names for names in value]

    def is_of(self, header: Sequence[str], preamble: Sequence[str]) -> bool:
        """Tell whether a header, with the lines above it, is that of this export."""
        titles = {title.casefold() for title in self.titles}
        titled = not titles or any(heading(line).casefold() in titles for line in preamble)
        needed = [names for name, names in self.columns.items() if name not in self.optional]
        return titled and all(column_of(names, header) is not None for names in (*needed, *self.marks))


@dataclass(frozen=True, slots=True)
class Said:
    """What the command line says besides the columns; None where it says nothing."""

    counts: Counts | None = None
    falls: Falls | None = None
    source: str | None = None
    numbers: NumberFormat | None = None
    timezone: str | None = None
    year: int | None = None
    as_of: str | None = None
    trust_ids: bool = False


NOTHING_SAID = Said()


@cache
def preset_names() -> list[str]:
    """Return the names of the presets there are, sorted."""
    return sorted(entry.name.removesuffix(".yaml") for entry in FOLDER.iterdir() if entry.name.endswith(".yaml"))


@cache
def load_preset(name: str) -> Preset:
    """Read a preset by name.

    Raises:
        ImportFault: there is none of that name; the text lists those there are.
    """
    if name not in preset_names():
        nearest_first = sorted(preset_names(), key=lambda each: -SequenceMatcher(None, name, each).ratio())
        raise ImportFault(f"There is no preset {name!r}; choose from: {', '.join(nearest_first)}.")
    return Preset.model_validate(yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8")))


def preset_of(header: Sequence[str], preamble: Sequence[str]) -> str | None:
    """Return the preset whose export has such a header, of several the one with most columns, None if there is none."""
    fitting = [name for name in preset_names() if load_preset(name).is_of(header, preamble)]
    return max(fitting, key=lambda name: _columns_in(name, header), default=None)


def _columns_in(name: str, header: Sequence[str]) -> int:
    preset = load_preset(name)
    return sum(column_of(names, header) is not None for names in (*preset.columns.values(), *preset.marks))


def mapping_of(
    *,
    preset: str | None,
    maps: Sequence[str],
    persona_id: str | None,
    time_format: str | None,
    said: Said = NOTHING_SAID,
) -> FieldMapping:
    """Put together what a preset says and what the command line says; the command line wins.

    `maps` are texts FIELD=COLUMN.

    Raises:
        ImportFault: lists everything that is wrong with the mapping at once.
    """
    base = load_preset(preset) if preset else Preset(title="", columns={}, time_format=NO_TIME_FORMAT)
    columns, problems = _mapped(base, maps)
    default_persona = None if "persona_id" in columns else base.persona_id
    mapping = FieldMapping(
        columns=columns,
        time_format=time_format or base.time_format,
        persona_id=persona_id or default_persona,
        post_per_row=base.post_per_row,
        optional=base.optional - said_fields(maps),
        subtracted={name: names for name, names in base.subtracted.items() if name not in said_fields(maps)},
        post_id_pattern=None if "post_id" in said_fields(maps) else base.post_id_pattern,
        preset=preset,
        source=said.source or base.source,
        counts=said.counts or base.counts,
        falls=said.falls,
        numbers=said.numbers,
        timezone=said.timezone or base.timezone,
        year=said.year,
        as_of=said.as_of,
        trust_ids=said.trust_ids,
    )
    if not problems:
        problems = mapping.problems()
    if problems:
        fields = ", ".join(FIELDS)
        raise ImportFault("The mapping is not usable:\n  " + "\n  ".join(problems) + f"\nFields: {fields}.")
    return mapping


def said_fields(maps: Sequence[str]) -> frozenset[str]:
    """Return the fields that texts FIELD=COLUMN name."""
    return frozenset(text.partition("=")[0] for text in maps)


def _mapped(base: Preset, maps: Sequence[str]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    columns, problems = dict(base.columns), []
    for text in maps:
        name, equals, column = text.partition("=")
        if not equals or not name or not column:
            problems.append(f"--map {text!r} is not FIELD=COLUMN, e.g. --map views=impressions")
        columns[name] = (column,)
    return columns, problems


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line says of how files are to be read."""

    preset: str | None
    maps: tuple[str, ...]
    persona_id: str | None
    time_format: str | None
    said: Said

    def mapping(self, source: Source) -> FieldMapping:
        """Return how a source is to be read.

        Raises:
            ImportFault: the mapping is not usable; the text lists what is wrong, and what the file has.
        """
        preset = self.preset or (None if self._is_whole() else _found(source))
        try:
            return mapping_of(
                preset=preset,
                maps=self.maps,
                persona_id=self.persona_id,
                time_format=self.time_format,
                said=self.said,
            )
        except ImportFault as fault:
            if preset or self._is_whole():
                raise
            raise ImportFault(f"{fault}\n{_columns_of(source)}") from None

    def _is_whole(self) -> bool:
        """Tell whether the columns that are said suffice without a preset."""
        fields = said_fields(self.maps)
        return "occurred_at" in fields and not fields.isdisjoint({*COUNT_FIELDS, "text"})


def _found(source: Source) -> str | None:
    with source.open(None, lambda cells, preamble: preset_of(cells, preamble) is not None) as table:
        return preset_of(table.header, table.preamble)


def _columns_of(source: Source) -> str:
    with source.open() as table:
        there = ", ".join(map(repr, table.header))
    known = "; ".join(f"{name}: {load_preset(name).title}" for name in preset_names())
    return f"{source.name} has the columns: {there}\nIt is none of the known exports ({known})."
