"""Where in the rows of a file each field stands: by a preset, by --map, or by the names that columns often have."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from agents.importing.cells.numbers import Decimal
from agents.importing.cells.visible_text import ImportFault
from agents.importing.fields import DEFAULT_SOURCE, column_of
from agents.importing.records.kinds import RecordKind
from agents.importing.records.presets import RecordPreset, preset_named, preset_of


@dataclass(frozen=True, slots=True)
class RecordRequest:
    """What a command says of how files of a kind are to be read; None where it says nothing.

    `maps` are texts FIELD=COLUMN, `sets` texts FIELD=VALUE for all rows.
    """

    kind: RecordKind
    preset: str | None = None
    maps: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    source: str | None = None
    time_format: str | None = None
    timezone: str | None = None
    decimal: Decimal | None = None

    def is_header(self, cells: Sequence[str], preamble: Sequence[str]) -> bool:
        """Tell whether cells are the header: of an export that is known, or with all columns that are said."""
        del preamble
        mapped = _pairs(self.maps, "--map", "COLUMN")
        if mapped:
            return all(column_of((column,), cells) is not None for column in mapped.values())
        return (preset_named(self.preset, self.kind).is_of(cells)) if self.preset else bool(preset_of(cells, self.kind))


@dataclass(frozen=True, slots=True)
class RecordLayout:
    """A file's columns by field, and what all rows have alike; `only` are the values that a column must have."""

    kind: RecordKind
    columns: Mapping[str, str]
    positions: Mapping[str, int]
    constants: Mapping[str, str]
    source: str
    time_format: str
    timezone: str | None
    preset: str | None = None
    defaults: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[int, frozenset[str]] = field(default_factory=dict)
    decimal: Decimal | None = None

    def has(self, name: str) -> bool:
        """Tell whether rows say a field, or all have it alike."""
        return name in self.positions or name in self.constants


def layout_of(request: RecordRequest, header: Sequence[str], file_name: str) -> RecordLayout:
    """Find the fields in a header.

    Raises:
        ImportFault: what is said names no field or no column, or fields are missing; the text lists all of it.
    """
    kind, mapped = request.kind, _pairs(request.maps, "--map", "COLUMN")
    said = _pairs(request.sets, "--set", "VALUE")
    name = request.preset or (None if _is_whole(kind, {*mapped, *said}) else preset_of(header, kind))
    preset = None if name is None else preset_named(name, kind)
    constants = {**(preset.constants if preset else {}), **said}
    columns, problems = _columns(kind, preset, mapped, constants, header)
    problems += [f"{each!r} is no field of {kind.name}" for each in (*mapped, *constants) if each not in kind.names]
    found = {*columns, *constants}
    problems += [_lacking(each.name) for each in kind.fields if each.required and each.name not in found]
    if kind.one_of and not found.intersection(kind.one_of):
        problems.append(f"none of {', '.join(kind.one_of)} has a column: add --map, e.g. --map {kind.one_of[0]}=COLUMN")
    if problems:
        raise ImportFault(
            f"{file_name} can't be read as {kind.name}:\n  " + "\n  ".join(problems) + f"\nThe file has: "
            f"{', '.join(map(repr, header))}\nFields: {', '.join(kind.names)}."
        )
    return RecordLayout(
        kind=kind,
        columns=columns,
        positions={each: list(header).index(column) for each, column in columns.items()},
        constants=constants,
        source=request.source or (preset.source if preset else DEFAULT_SOURCE),
        time_format=request.time_format or (preset.time_format if preset else "iso8601"),
        timezone=request.timezone or (preset.timezone if preset else None),
        preset=name,
        defaults=preset.defaults if preset else {},
        only=_only(preset, header),
        decimal=request.decimal,
    )


def _is_whole(kind: RecordKind, said: Collection[str]) -> bool:
    """Tell whether what is said suffices without an export that is known."""
    needed = all(each.name in said for each in kind.fields if each.required)
    return needed and (not kind.one_of or any(name in said for name in kind.one_of))


def _columns(
    kind: RecordKind,
    preset: RecordPreset | None,
    mapped: Mapping[str, str],
    constants: Mapping[str, str],
    header: Sequence[str],
) -> tuple[dict[str, str], list[str]]:
    """Return the column of each field that has one, and what is wrong."""
    columns: dict[str, str] = {}
    problems: list[str] = []
    for each in kind.fields:
        if each.name in constants and each.name not in mapped:
            continue
        names = (mapped[each.name],) if each.name in mapped else _names(each.name, each.columns, preset)
        column = column_of(names, header)
        if column is not None and (each.name in mapped or column not in columns.values()):
            columns[each.name] = column
        elif each.name in mapped or (preset and each.name in preset.columns and each.name not in preset.optional):
            problems.append(f"{each.name}: no column {' or '.join(map(repr, names))}")
    twice = sorted({column for column in columns.values() if list(header).count(column) > 1})
    problems += [f"the header has {column!r} more than once: rename all but one of each first" for column in twice]
    return columns, problems


def _names(name: str, usual: Sequence[str], preset: RecordPreset | None) -> Sequence[str]:
    """Return the names of a field's column: where an export is known, nothing else of it is guessed."""
    return usual if preset is None else preset.columns.get(name, ())


def _only(preset: RecordPreset | None, header: Sequence[str]) -> dict[int, frozenset[str]]:
    found = {}
    for name, values in (preset.only if preset else {}).items():
        column = column_of((name,), header)
        if column is not None:
            found[list(header).index(column)] = frozenset(value.casefold() for value in values)
    return found


def _lacking(name: str) -> str:
    if name == "persona_id":
        return "no persona: say --persona ID for all rows, or --map persona_id=COLUMN, e.g. of the project"
    return f"{name} is not mapped: add --map {name}=COLUMN, or --set {name}=VALUE for all rows"


def _pairs(texts: Sequence[str], option: str, what: str) -> dict[str, str]:
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (equals and name and value):
            raise ImportFault(f"{option} {text!r} is not FIELD={what}.")
        found[name] = value
    return found
