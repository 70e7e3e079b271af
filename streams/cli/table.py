"""The tables of all commands: every identifier whole, and no line wider than the terminal.

Where the room is short numbers are shortened, long texts go beneath their row, and minor columns are left out, which is
said; where not even that helps, each row is a block of lines. `--wide` leaves nothing out. Into a file or a pipe goes
everything, a line a row.
"""

from __future__ import annotations

import shutil
import sys
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import click
from rich.cells import cell_len, chop_cells

Role = Literal["id", "word", "number", "text"]

UNKNOWN_TERMINAL_COLUMNS = 80
LEAST_COLUMNS = 20
TEXT_COLUMNS = 60  # a text is not wider, however wide the terminal
LEAST_TEXT_COLUMNS = 24
GAP = "  "
INDENT = "  "
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")  # what follows them is moved


@dataclass(frozen=True, slots=True)
class Shown:
    """A value in two lengths: in full, and shortened for where the room is short."""

    full: str
    short: str


Cell = str | Shown


@dataclass(frozen=True, slots=True)
class Column:
    """A heading and what stands under it: ids and words are never broken, numbers stand right, texts are wrapped.

    Columns with the greatest `minor` are left out first; those with 0 never.
    """

    heading: str
    role: Role = "word"
    minor: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, one a column; `parts` are the numbers of the rows that a line is drawn above."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    note: str = ""
    parts: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class _Measured:
    """How many columns of the terminal a column of the table takes: in full, shortened, and its longest word."""

    full: int
    short: int
    word: int


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a table is drawn: the columns that are kept, those of them beneath their row, the widths of the others."""

    kept: Sequence[int]
    beneath: Sequence[int]
    widths: Sequence[int]
    short: bool


Command = TypeVar("Command", bound=Callable[..., object])


def wide_option(command: Command) -> Command:
    """Give a command the option --wide."""
    return click.option("--wide", is_flag=True, help="Show every column, and numbers in full.")(command)


def print_table(table: Table, *, wide: bool = False) -> None:
    """Print a table on stdout, as wide as there is room."""
    for line in table_lines(table, terminal_columns(), wide=wide):
        click.echo(line)


def print_text(text: str) -> None:
    """Print a line of text on stdout, its words wrapped under its indent where the room is short."""
    words = text.lstrip(" ")
    for line in _wrapped(_plain(words, "word"), terminal_columns(), " " * (len(text) - len(words))):
        click.echo(line)


def terminal_columns() -> int | None:
    """Return how many columns a line may have: COLUMNS where it is set; None for a file or a pipe."""
    known = shutil.get_terminal_size((0, 0)).columns
    return known or (UNKNOWN_TERMINAL_COLUMNS if sys.stdout.isatty() else None)


def table_lines(table: Table, columns: int | None, *, wide: bool = False) -> Iterator[str]:
    """Yield the lines of a table that has room for so many columns; None is room for everything."""
    room = None if columns is None else max(columns, LEAST_COLUMNS)
    layout = _layout(table, room, wide=wide)
    yield from _wrapped(_plain(table.title, "text"), room)
    yield from _blocks(table, room, wide=wide) if layout is None else _grid(table, layout, room)
    yield from _wrapped(_plain(table.note, "text"), room)
    left_out = _left_out(table, layout, wide=wide)
    if left_out:
        yield from _wrapped(f"more with --wide: {', '.join(left_out)}", room)


def count(number: float) -> Shown:
    """Return a number with commas, and shortened: 1,310,000 is 1.31M."""
    return Shown(f"{number:,}", short_number(number))


def short_number(number: float) -> str:
    """Return a number in at most six characters where it has a name; those under 10,000 as they are."""
    if abs(number) < 10_000:  # noqa: PLR2004 - with its comma as short as with a letter
        return f"{number:,}"
    scaled: float = number
    for unit in ("K", "M", "B", "T"):
        scaled /= 1000
        text = f"{scaled:.3g}"
        if "e" not in text:
            return f"{text}{unit}"
    return f"{number:.3g}"


def _left_out(table: Table, layout: _Layout | None, *, wide: bool) -> list[str]:
    kept = _of_blocks(table, wide=wide) if layout is None else layout.kept
    return [column.heading for number, column in enumerate(table.columns) if number not in kept]


def _layout(table: Table, room: int | None, *, wide: bool) -> _Layout | None:
    """Return the layout that shows most; None where rows don't fit however much is left out."""
    measured = [_measured(table, number) for number in range(len(table.columns))]
    most_minor = max((column.minor for column in table.columns), default=0)
    for minor in (most_minor,) if wide else range(most_minor, -1, -1):
        kept = [number for number, column in enumerate(table.columns) if column.minor <= minor]
        texts = [number for number in kept if table.columns[number].role == "text"]
        for beneath, short in ([], False), ([], True), (texts, False), (texts, True):
            inline = [number for number in kept if number not in beneath]
            widths = _widths(table, [(number, measured[number]) for number in inline], room, short=short)
            if widths is not None and not (short and wide):
                return _Layout(kept, beneath, widths, short)
    return None


def _measured(table: Table, number: int) -> _Measured:
    column = table.columns[number]
    cells = [row[number] for row in table.rows]
    heading = max((cell_len(word) for word in column.heading.split()), default=0)
    full, short = (
        max((cell_len(_said(cell, column.role, short=short)) for cell in cells), default=0) for short in (False, True)
    )
    words = (word for cell in cells for word in _said(cell, "text", short=False).split())
    longest = max(map(cell_len, words), default=0) if column.role == "text" else 0
    return _Measured(max(full, heading), max(short, heading), max(longest, heading))


def _widths(
    table: Table, inline: Sequence[tuple[int, _Measured]], room: int | None, *, short: bool
) -> list[int] | None:
    """Return the width of each column of the grid, texts sharing what the others leave; None where there is no room."""
    widths = {number: each.short if short else each.full for number, each in inline}
    if room is None:
        return list(widths.values())
    texts = {number: each for number, each in inline if table.columns[number].role == "text"}
    wanted = {number: min(each.full, TEXT_COLUMNS) for number, each in texts.items()}
    least = {number: min(wanted[number], max(LEAST_TEXT_COLUMNS, each.word)) for number, each in texts.items()}
    spare = room - sum((widths | least).values()) - len(GAP) * (len(inline) - 1)
    if spare < 0 or any(each.word > least[number] for number, each in texts.items()):
        return None
    for number in texts:
        more = min(wanted[number] - least[number], spare)
        widths[number] = least[number] + more
        spare -= more
    return list(widths.values())


def _grid(table: Table, layout: _Layout, room: int | None) -> Iterator[str]:
    inline = [number for number in layout.kept if number not in layout.beneath]
    columns = [table.columns[number] for number in inline]
    rule = GAP.join("─" * width for width in layout.widths)
    headings = [list(_wrapped(column.heading, width)) for column, width in zip(columns, layout.widths, strict=True)]
    height = max(map(len, headings), default=0)
    yield from _stacked([[""] * (height - len(stack)) + stack for stack in headings], columns, layout.widths)
    yield rule
    for place, row in enumerate(table.rows):
        if place in table.parts and place:
            yield rule
        cells = [
            _said(row[number], column.role, short=layout.short) for number, column in zip(inline, columns, strict=True)
        ]
        yield from _row(cells, columns, layout.widths, wrap=room is not None)
        for number in layout.beneath:
            said = _said(row[number], "text", short=False)
            if said:
                yield from _wrapped(f"{table.columns[number].heading}: {said}", room, INDENT)


def _row(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int], *, wrap: bool) -> Iterator[str]:
    """Yield the lines of a row: as many as its longest text takes."""
    stacks = [
        list(_wrapped(cell, width)) if wrap and column.role == "text" else [cell]
        for cell, column, width in zip(cells, columns, widths, strict=True)
    ]
    yield from _stacked(stacks, columns, widths)


def _stacked(stacks: Sequence[Sequence[str]], columns: Sequence[Column], widths: Sequence[int]) -> Iterator[str]:
    for height in range(max(map(len, stacks), default=0)):
        yield _line([stack[height] if height < len(stack) else "" for stack in stacks], columns, widths)


def _line(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    padded = []
    for cell, column, width in zip(cells, columns, widths, strict=True):
        space = " " * (width - cell_len(cell))
        padded.append(space + cell if column.role == "number" else cell + space)
    return GAP.join(padded).rstrip()


def _of_blocks(table: Table, *, wide: bool) -> list[int]:
    return [number for number, column in enumerate(table.columns) if wide or not column.minor]


def _blocks(table: Table, room: int | None, *, wide: bool) -> Iterator[str]:
    """Yield each row as lines `heading  value`; a value that does not fit beside its heading has lines of its own."""
    kept = _of_blocks(table, wide=wide)
    label = max(cell_len(table.columns[number].heading) for number in kept)
    for place, row in enumerate(table.rows):
        if place:
            yield ""
        for number in kept:
            heading, said = table.columns[number].heading, _said(row[number], table.columns[number].role, short=False)
            beside = f"{heading}{' ' * (label - cell_len(heading))}{GAP}{said}".rstrip()
            if room is None or cell_len(beside) <= room:
                yield beside
            else:
                yield from _wrapped(heading, room)
                yield from _wrapped(said, room) if table.columns[number].role == "text" else chop_cells(said, room)


def _said(cell: Cell, role: Role, *, short: bool) -> str:
    if isinstance(cell, Shown):
        return _plain(cell.short if short else cell.full, role)
    return _plain(cell, role)


def _plain(text: str, role: Role) -> str:
    """Return a text that moves no cursor and takes one line; what can't be printed is written as an escape."""
    one_line = " ".join(text.split()) if role == "text" else text
    return one_line if one_line.isprintable() else "".join(map(_printable, one_line))


def _printable(character: str) -> str:
    is_bad = unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in _TURNING
    return character.encode("unicode_escape").decode() if is_bad else character


def _wrapped(text: str, room: int | None, indent: str = "") -> Iterator[str]:
    """Yield lines of whole words; a word that is longer than a line is folded, and nothing of it is lost."""
    if room is None:
        if text:
            yield f"{indent}{text}"
        return
    width = room - len(indent)
    line = ""
    for word in text.split(" "):
        if line and cell_len(line) + 1 + cell_len(word) <= width:
            line += f" {word}"
            continue
        if line:
            yield f"{indent}{line}"
        *whole, line = chop_cells(word, width) or [""]
        yield from (f"{indent}{part}" for part in whole)
    if line:
        yield f"{indent}{line}"
