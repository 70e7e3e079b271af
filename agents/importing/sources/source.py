"""What every source of an import gives: a header and rows in order, from the beginning as often as it is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from agents.importing.cells.typed import Cell

Unit = Literal["line", "record", "row"]
"""What a place in a source is counted in."""
IsHeader = Callable[[Sequence[str], Sequence[str]], bool]
"""Tells whether cells are the header that is looked for, given the headings in the lines above it."""


class Digest(Protocol):
    """What takes the content as it is read: an object of hashlib."""

    def update(self, data: bytes, /) -> None: ...


class Row(NamedTuple):
    """A row: its number from 1, the line (record, row) of the source that it begins on, and its cells.

    A text source gives texts alone, and may give more or fewer of them than its header has.
    """

    number: int
    line: int
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Table:
    """A source that is open: its header and the rows that follow.

    `preamble` are the headings in the lines above the header; `types` is what the source says of its columns by name,
    nothing where it holds texts. `again` is the source as it is to be opened the next time: what was found is said.
    """

    header: list[str]
    rows: Iterator[Row]
    again: Source
    preamble: list[str] = field(default_factory=list)
    types: Mapping[str, str] = field(default_factory=dict)


class FileOnDisk:
    """What sources that are one file have in common; nothing is held between two readings."""

    __slots__ = ()
    path: Path

    @property
    def name(self) -> str:
        """Return the file's name."""
        return self.path.name

    @property
    def size(self) -> int:
        """Return the file's size in bytes."""
        return self.path.stat().st_size if self.path.exists() else 0

    def close(self) -> None:
        """Let go of nothing: nothing is held."""


class Source(Protocol):
    """Something with rows. It holds a bounded part of them in memory, however many there are."""

    @property
    def name(self) -> str:
        """Return its name, for people and for the field `source` of events."""

    @property
    def unit(self) -> Unit:
        """Return what `Row.line` counts."""

    @property
    def size(self) -> int:
        """Return about how many bytes it has, 0 where that is unknown."""

    @property
    def described(self) -> str:
        """Return what it is, e.g. `CSV, utf-8, columns apart by ','`."""

    def open(self, digest: Digest | None = None, is_header: IsHeader | None = None) -> AbstractContextManager[Table]:
        """Open it from the beginning; `digest` takes its whole content by the time that all rows are read.

        Raises:
            ImportFault: it is missing, empty, broken, or not what it seems to be; the text says where.
        """

    def close(self) -> None:
        """Let go of what it holds between two readings."""
