"""The fields of an import, and the columns of a file that they are read from."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.records import EngagementKind
from streams.errors import ThreadsError

COUNT_FIELDS: Mapping[str, EngagementKind] = {
    "views": "view",
    "likes": "like",
    "replies": "reply",
    "reposts": "repost",
    "quotes": "quote",
    "shares": "share",
    "clicks": "click",
    "follows": "follow",
}
FIELDS = ("post_id", "persona_id", "occurred_at", "text", *COUNT_FIELDS)


class ImportFault(ThreadsError):
    """A file can't be imported as it is; the text says where and what to do."""


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """Which column each field comes from, as the user or a preset says, before a file is seen.

    `columns` maps a field to the names its column may have, the preferred one first. `post_per_row` tells that
    every row is a post of its own, although the post_id column repeats. `persona_id` is that of the whole file.
    """

    columns: Mapping[str, tuple[str, ...]]
    time_format: str
    persona_id: str | None = None
    post_per_row: bool = False

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
        return found


@dataclass(frozen=True, slots=True)
class Layout:
    """Where in the rows of one file each field stands: `positions` are 0-based, `width` is the number of columns."""

    mapping: FieldMapping
    bound: Mapping[str, str]
    positions: Mapping[str, int]
    width: int

    def source_key(self, content_sha256: str) -> str:
        """Return the identity of this import: of what is in the file and how it is read, not of the file's name."""
        reading = {
            "columns": dict(sorted(self.bound.items())),
            "persona_id": self.mapping.persona_id,
            "post_per_row": self.mapping.post_per_row,
            "time_format": self.mapping.time_format,
        }
        text = content_sha256 + json.dumps(reading, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def bind(mapping: FieldMapping, header: Sequence[str], file_name: str) -> Layout:
    """Find each field's column in the header of a file.

    Raises:
        ImportFault: columns are missing or stand there twice; the text lists all of them and those there are.
    """
    bound, missing = {}, []
    for name, wanted in mapping.columns.items():
        column = next((candidate for candidate in wanted if candidate in header), None)
        if column is None:
            missing.append(f"  {name}: no column {' or '.join(map(repr, wanted))}" + _nearest(wanted[0], header))
        else:
            bound[name] = column
    if missing:
        there = ", ".join(repr(column) for column in header)
        raise ImportFault(
            f"{file_name}: columns are missing:\n" + "\n".join(missing) + f"\nThe file has: {there}\n"
            "Name the right ones with --map FIELD=COLUMN."
        )
    seen = Counter(header)
    twice = sorted({column for column in bound.values() if seen[column] > 1})
    if twice:
        names = ", ".join(repr(column) for column in twice)
        raise ImportFault(f"{file_name}: the header has {names} more than once; rename all but one of each first.")
    positions = {name: header.index(column) for name, column in bound.items()}
    return Layout(mapping, bound, positions, len(header))


def _nearest(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
