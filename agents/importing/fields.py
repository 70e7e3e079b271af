"""The fields of an import, and the columns of a file that they are read from."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from agents.importing.cells.numbers import NumberFormat
from agents.importing.cells.visible_text import ImportFault, heading
from schemas.engagement import KINDS
from schemas.records import EngagementKind

__all__ = ["COUNT_FIELDS", "FIELDS", "Counts", "Falls", "FieldMapping", "ImportFault", "Layout", "bind", "column_of"]

COUNT_FIELDS: Mapping[str, EngagementKind] = {
    (kind.counter if kind.of_post else kind.name): kind.name for kind in KINDS
}
"""Counts of a post are named as its counters; a change of the follower count is named after itself."""
FIELDS = ("post_id", "persona_id", "occurred_at", "as_of", "text", *COUNT_FIELDS)
SIGNED_FIELDS = frozenset({"follower_change"})
DEFAULT_SOURCE = "import"

Counts = Literal["totals", "new"]
"""Whether a file holds totals so far, or what is new in each row."""
Falls = Literal["correct", "keep"]
"""What a total below the known one is where the order of the exports is unknown: a correction, or an older export."""


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """Which column each field comes from, as the user or a preset says, before a file is seen.

    `columns` maps a field to the names its column may have, the preferred one first; of those in `optional` a file may
    have none. `subtracted` names, for a count, the column to take off it. `post_per_row` tells that every row is a post
    of its own, although the post_id column repeats; `post_id_pattern` finds the id in a longer cell, as its group.
    `persona_id` is that of the whole file. `source` is where its counts come from, as far as that tells them apart.
    `counts`, `numbers` and `falls` None mean that it was not said.
    """

    columns: Mapping[str, tuple[str, ...]]
    time_format: str
    persona_id: str | None = None
    post_per_row: bool = False
    optional: frozenset[str] = frozenset()
    subtracted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    post_id_pattern: str | None = None
    preset: str | None = None
    source: str = DEFAULT_SOURCE
    counts: Counts | None = None
    falls: Falls | None = None
    numbers: NumberFormat | None = None
    timezone: str | None = None
    year: int | None = None
    as_of: str | None = None
    trust_ids: bool = False

    def problems(self) -> list[str]:
        """Return what makes this mapping unusable for any file, one sentence each."""
        found = [f"{name!r} is not a field" + _nearest(name, FIELDS) for name in self.columns if name not in FIELDS]
        if "occurred_at" not in self.columns:
            found.append("occurred_at is not mapped: add --map occurred_at=COLUMN")
        if self.persona_id is None and "persona_id" not in self.columns:
            found.append("no persona: add --map persona_id=COLUMN, or --persona ID when the file is of one persona")
        if self.persona_id is not None and "persona_id" in self.columns:
            found.append("--persona ID and a mapped persona_id exclude each other: leave one out")
        if not any(name in self.columns for name in (*COUNT_FIELDS, "text")):
            found.append(f"nothing to count: map at least one of {', '.join(COUNT_FIELDS)}")
        if "text" in self.columns and "post_id" not in self.columns:
            found.append("text needs a post: add --map post_id=COLUMN")
        if self.post_per_row and "post_id" not in self.columns:
            found.append("post_per_row needs a mapped post_id")
        if self.counts == "totals" and "post_id" not in self.columns:
            found.append("totals are of posts: add --map post_id=COLUMN, or say --counts new for counts of each day")
        return found

    def fits(self, header: Sequence[str]) -> bool:
        """Tell whether a header has all columns that a file must have."""
        return all(column_of(names, header) is not None for name, names in self._needed())

    def _needed(self) -> list[tuple[str, tuple[str, ...]]]:
        return [item for item in self.columns.items() if item[0] not in self.optional]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where in the rows of one file each field stands: `positions` are 0-based, `width` is the number of columns.

    `subtracted` are the positions of columns to take off a count.
    """

    mapping: FieldMapping
    bound: Mapping[str, str]
    positions: Mapping[str, int]
    width: int
    subtracted: Mapping[str, int] = field(default_factory=dict)

    def source_key(self, content_sha256: str) -> str:
        """Return the identity of this reading of a file: of what is in it and how it is read, not of its name.

        What the first versions did not know is part of it only where it is said, so that their imports stay known.
        """
        mapping = self.mapping
        reading: dict[str, object] = {
            "columns": dict(sorted(self.bound.items())),
            "persona_id": mapping.persona_id,
            "post_per_row": mapping.post_per_row,
            "time_format": mapping.time_format,
        }
        said = {
            "as_of": mapping.as_of,
            "counts": mapping.counts,
            "falls": mapping.falls,
            "numbers": mapping.numbers and [mapping.numbers.decimal, mapping.numbers.thousands],
            "post_id_pattern": mapping.post_id_pattern,
            "source": None if mapping.source == DEFAULT_SOURCE else mapping.source,
            "subtracted": dict(self.subtracted) or None,
            "timezone": mapping.timezone,
            "year": mapping.year,
        }
        reading |= {name: value for name, value in said.items() if value is not None}
        text = content_sha256 + json.dumps(reading, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def column_of(names: Sequence[str], header: Sequence[str]) -> str | None:
    """Return the first of the names that is in a header, as the header writes it; the case of letters may differ."""
    folded = {column.casefold(): column for column in reversed(header)}
    for name in map(heading, names):
        if name in header:
            return name
        if name.casefold() in folded:
            return folded[name.casefold()]
    return None


def bind(mapping: FieldMapping, header: Sequence[str], file_name: str) -> Layout:
    """Find each field's column in the header of a file.

    Raises:
        ImportFault: columns are missing or stand there twice; the text lists all of them and those there are.
    """
    bound, missing = {}, []
    for name, wanted in mapping.columns.items():
        column = column_of(wanted, header)
        if column is not None:
            bound[name] = column
        elif name not in mapping.optional:
            missing.append(f"  {name}: no column {' or '.join(map(repr, wanted))}" + _nearest(wanted[0], header))
    if missing:
        there = ", ".join(repr(column) for column in header)
        raise ImportFault(
            f"{file_name}: columns are missing:\n" + "\n".join(missing) + f"\nThe file has: {there}\n"
            "Name the right ones with --map FIELD=COLUMN."
        )
    subtracted = {name: found for name, names in mapping.subtracted.items() if (found := column_of(names, header))}
    _refuse_twins([*bound.values(), *subtracted.values()], header, file_name)
    positions = {name: header.index(column) for name, column in bound.items()}
    taken_off = {name: header.index(column) for name, column in subtracted.items()}
    return Layout(mapping, bound, positions, len(header), taken_off)


def _refuse_twins(used: Sequence[str], header: Sequence[str], file_name: str) -> None:
    seen = Counter(header)
    twice = sorted({column for column in used if seen[column] > 1})
    if twice:
        names = ", ".join(repr(column) for column in twice)
        raise ImportFault(f"{file_name}: the header has {names} more than once; rename all but one of each first.")


def _nearest(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
