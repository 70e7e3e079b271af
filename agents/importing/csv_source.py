"""A CSV file as a stream of rows in bounded memory: gzip by content, a header below a preamble, exact line numbers."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple, Protocol, cast

from agents.importing.cells.visible_text import all_blank, heading
from agents.importing.decoding import BUFFER_BYTES, MAX_LINE_BYTES, Digest, decoded_lines, encoding_of
from agents.importing.import_fault import ImportFault

__all__ = ["MAX_LINE_BYTES", "CsvForm", "CsvRow", "CsvSource", "open_csv"]

GZIP_MAGIC = b"\x1f\x8b"
HEAD_BYTES = 4
PREAMBLE_LINES = 50  # a header is looked for in so many lines
DELIMITERS = (",", ";", "\t", "|")

_SEP_LINE = re.compile(r'"?sep=(.)"?\s*')

IsHeader = Callable[[Sequence[str], Sequence[str]], bool]
"""Tells whether cells are the header that is looked for, given the headings in the lines above it."""


@dataclass(frozen=True, slots=True)
class CsvForm:
    """What is said of a file's form; None means that the file tells: its mark, its `sep=` line, its header."""

    encoding: str | None = None
    delimiter: str | None = None

    def check(self) -> None:
        """Refuse a delimiter that can be none; raises ImportFault."""
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise ImportFault(
                f"--delimiter {self.delimiter!r} can't be: one sign was expected, such as ; or the word tab."
            )


class _LineReader(Protocol):
    """What csv.reader returns."""

    @property
    def line_num(self) -> int: ...
    def __iter__(self) -> Iterator[list[str]]: ...
    def __next__(self) -> list[str]: ...


class CsvRow(NamedTuple):
    """A row after the header: its number from 1, the line of the file it begins on, and its cells."""

    number: int
    line: int
    cells: list[str]


class CsvSource(NamedTuple):
    """The header and the rows that follow it; `preamble` are the headings in the lines above the header."""

    header: list[str]
    rows: Iterator[CsvRow]
    preamble: list[str]
    encoding: str
    delimiter: str


class _Header(NamedTuple):
    """Where a header was found: behind `records` records, of which `preamble` are the headings."""

    delimiter: str
    records: int
    preamble: list[str]
    cells: list[str]


@contextmanager
def open_csv(
    path: Path, digest: Digest | None = None, form: CsvForm | None = None, is_header: IsHeader | None = None
) -> Iterator[CsvSource]:
    """Open a CSV file, gzipped or not; `digest` takes the decompressed content as the rows are read.

    The header is the first record that `is_header` takes, with whichever delimiter; where none is, the first record
    that is not blank. Rows in which nothing stands are left out.

    Raises:
        ImportFault: the file is missing, empty, broken, or not in its encoding; the text names the line.
    """
    reader: _LineReader | None = None
    form = form or CsvForm()
    form.check()
    try:
        with _open_content(path) as stream:
            encoding = encoding_of(stream.peek(HEAD_BYTES), form.encoding)
            lines = decoded_lines(stream, encoding, path.name, digest)
            head = list(islice(lines, PREAMBLE_LINES))
            found = _find_header(head, form.delimiter, is_header)
            if found is None:
                raise ImportFault(_no_header(path.name, head))
            reader = csv.reader(chain(head, lines), strict=True, delimiter=found.delimiter)
            for _ in range(found.records + 1):
                next(reader)
            yield CsvSource(found.cells, _rows(reader), found.preamble, encoding, found.delimiter)
    except csv.Error as error:
        where = f"{path.name}, line {reader.line_num if reader else 1}"
        raise ImportFault(f"{where}: not readable as CSV ({error}); correct its quotes, then import again.") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ImportFault(f"{path.name}: the gzip data is broken or cut off ({error}); fetch the file again.") from None
    except OSError as error:
        why = error.strerror or error
        raise ImportFault(f"{path}: can't be read ({why}); check the path and its permissions.") from None


def _no_header(file_name: str, head: Sequence[str]) -> str:
    if all_blank(head):
        return f"{file_name} is empty: a header line and rows were expected."
    return (
        f"{file_name}, line 1: not readable as CSV: its quotes are broken, or its lines end in CR alone as those of "
        "old programs do; save it again as CSV with the usual ends of lines."
    )


def _open_content(path: Path) -> AbstractContextManager[io.BufferedReader]:
    with path.open("rb") as stream:
        gzipped = stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    if not gzipped:
        return path.open("rb")
    unpacked = cast("io.RawIOBase", gzip.GzipFile(path))  # its own readline is slow, the buffer's is not
    return io.BufferedReader(unpacked, BUFFER_BYTES)


def _find_header(head: Sequence[str], said: str | None, is_header: IsHeader | None) -> _Header | None:
    delimiters = (said,) if said else _told(head) or DELIMITERS
    candidates = [each for delimiter in delimiters for each in _headers(head, delimiter)]
    if is_header is not None:
        for each in candidates:
            if is_header(each.cells, each.preamble):
                return each
    firsts = [each for each in candidates if not each.preamble]
    return max(firsts, key=lambda each: len(each.cells), default=None)


def _told(head: Sequence[str]) -> tuple[str, ...]:
    """Return the delimiter that a first line `sep=;` tells, as spreadsheets write and read it."""
    match = _SEP_LINE.fullmatch(head[0]) if head else None
    return (match[1],) if match else ()


def _headers(head: Sequence[str], delimiter: str) -> Iterator[_Header]:
    preamble: list[str] = []
    skipped = 1 if _told(head) else 0
    try:
        for number, cells in enumerate(csv.reader(head[skipped:], delimiter=delimiter), start=skipped):
            names = list(map(heading, cells))
            if any(names):
                yield _Header(delimiter, number, list(preamble), names)
                preamble += filter(None, names)
    except csv.Error:
        return  # told with its line when the rows are read


def _rows(reader: _LineReader) -> Iterator[CsvRow]:
    number = 0
    begin = reader.line_num + 1
    for cells in reader:
        if not all_blank(cells):
            number += 1
            yield CsvRow(number, begin, cells)
        begin = reader.line_num + 1
