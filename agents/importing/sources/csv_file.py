"""A CSV file as a stream of rows in bounded memory: its encoding, a header below a preamble, lines."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from agents.importing.cells.visible_text import ImportFault, all_blank, heading
from agents.importing.sources.content import BUFFER_BYTES, open_content
from agents.importing.sources.source import Digest, FileOnDisk, IsHeader, Row, Table, Unit

MAX_LINE_BYTES = 16 * 2**20
BYTE_ORDER_MARK = "\ufeff"
_LEAST_WIDE = 4
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
HEAD_BYTES = 4
PREAMBLE_LINES = 50  # a header is looked for in so many lines
DELIMITERS = (",", ";", "\t", "|")
_SEP_LINE = re.compile(r'"?sep=(.)"?\s*')


def encoding_of(head: bytes, said: str | None) -> str:
    """Return the encoding of a file that begins with `head`: the one that is said, of its mark, else UTF-8.

    UTF-16 without a mark shows by the zero byte in each of the first Latin letters.

    Raises:
        ImportFault: the encoding that is said is unknown.
    """
    if said is not None:
        return _checked(said)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    if len(head) >= _LEAST_WIDE and not any(head[1:_LEAST_WIDE:2]) and all(head[:_LEAST_WIDE:2]):
        return "utf-16-le"
    if len(head) >= _LEAST_WIDE and not any(head[:_LEAST_WIDE:2]) and all(head[1:_LEAST_WIDE:2]):
        return "utf-16-be"
    return "utf-8"


def decoded_lines(stream: BinaryIO, encoding: str, file_name: str, digest: Digest | None) -> Iterator[str]:
    """Yield the lines of a file with their ends; `digest` takes the bytes as they are read.

    Raises:
        ImportFault: a line can't be decoded, is too long or holds a zero character; the text names it.
    """
    read = _byte_lines if "\n".encode(encoding) == b"\n" else _wide_lines
    for number, line in enumerate(read(stream, encoding, file_name, digest), start=1):
        if "\0" in line:
            raise ImportFault(
                f"{file_name}, line {number} holds a NUL character: a text file was expected. If its encoding is "
                "another than UTF-8, say it, e.g. --encoding utf-16-le; else export the file again."
            )
        yield line.lstrip(BYTE_ORDER_MARK) if number == 1 else line


def _checked(encoding: str) -> str:
    try:
        b"text".decode(encoding)
    except UnicodeError:
        return encoding  # it is one, though not of these bytes
    except LookupError:
        raise ImportFault(
            f"--encoding {encoding!r} is unknown; use a name such as utf-8, utf-16, cp1252, cp1251 or shift_jis."
        ) from None
    return encoding


def _byte_lines(stream: BinaryIO, encoding: str, file_name: str, digest: Digest | None) -> Iterator[str]:
    """Read an encoding in which the end of a line is a byte of its own: many lines at once."""
    number, rest = 0, b""
    while True:
        chunk = stream.read(BUFFER_BYTES)
        if digest is not None:
            digest.update(chunk)
        *_, rest = parts = (rest + chunk).rpartition(b"\n") if chunk else (rest, b"", b"")
        whole = parts[0] + parts[1]
        if len(rest) >= MAX_LINE_BYTES:
            raise _too_long(file_name, number + whole.count(b"\n") + 1)
        try:
            lines = whole.decode(encoding).split("\n")
        except UnicodeDecodeError as error:
            raise _undecodable_byte(whole, error, number, file_name, encoding) from None
        last = lines.pop()
        for line in lines:
            yield line + "\n"
        number += len(lines)
        if not chunk:
            if last:
                yield last
            return


def _undecodable_byte(
    text: bytes, error: UnicodeDecodeError, number: int, file_name: str, encoding: str
) -> ImportFault:
    """Return the fault of a byte, counted in its line; `number` lines are before the text."""
    begin = text.rfind(b"\n", 0, error.start) + 1
    what = f"byte 0x{text[error.start]:02x} at position {error.start - begin + 1}"
    return _undecodable(file_name, number + text.count(b"\n", 0, error.start) + 1, encoding, what)


def _wide_lines(stream: BinaryIO, encoding: str, file_name: str, digest: Digest | None) -> Iterator[str]:
    """Read an encoding in which the end of a line is more than the byte of it."""
    decoder = codecs.getincrementaldecoder(encoding)()
    number, rest = 0, ""
    while True:
        chunk = stream.read(BUFFER_BYTES)
        if digest is not None:
            digest.update(chunk)
        try:
            *lines, rest = (rest + decoder.decode(chunk, final=not chunk)).split("\n")
        except UnicodeDecodeError as error:
            raise _undecodable(file_name, number + 1, encoding, f"{error.reason}, there or a little later") from None
        for line in lines:
            number += 1
            yield line + "\n"
        if len(rest) > MAX_LINE_BYTES:
            raise _too_long(file_name, number + 1)
        if not chunk:
            break
    if rest:
        yield rest


def _too_long(file_name: str, number: int) -> ImportFault:
    return ImportFault(f"{file_name}, line {number} is longer than {MAX_LINE_BYTES} bytes: a CSV file was expected.")


def _undecodable(file_name: str, number: int, encoding: str, what: str) -> ImportFault:
    return ImportFault(
        f"{file_name}, line {number}: not {encoding.upper()} ({what}); nothing was sent. Say --encoding, e.g. cp1252 "
        f"for a Western Windows file, or save the file as UTF-8, e.g. iconv -f WINDOWS-1252 -t UTF-8 {file_name} > "
        "utf8.csv, and import that."
    )


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


@dataclass(frozen=True, slots=True)
class CsvFile(FileOnDisk):
    """A CSV file, compressed or not."""

    path: Path
    form: CsvForm = CsvForm()

    @property
    def unit(self) -> Unit:
        """Return that places are lines."""
        return "line"

    @property
    def described(self) -> str:
        """Return the file's form."""
        return f"CSV, {self.form.encoding}, columns apart by {self.form.delimiter!r}"

    @contextmanager
    def open(self, digest: Digest | None = None, is_header: IsHeader | None = None) -> Iterator[Table]:
        """Open the file; see `open_csv`."""
        with open_csv(self.path, digest, self.form, is_header) as table:
            yield table


class _Header(NamedTuple):
    """Where a header was found: behind `records` records, of which `preamble` are the headings."""

    delimiter: str
    records: int
    preamble: list[str]
    cells: list[str]


@contextmanager
def open_csv(
    path: Path, digest: Digest | None = None, form: CsvForm | None = None, is_header: IsHeader | None = None
) -> Iterator[Table]:
    """Open a CSV file, compressed or not; `digest` takes the decompressed content as the rows are read.

    The header is the first record that `is_header` takes, with whichever delimiter; where none is, the first record
    that is not blank. Rows in which nothing stands are left out.

    Raises:
        ImportFault: the file is missing, empty, broken, or not in its encoding; the text names the line.
    """
    reader: _LineReader | None = None
    form = form or CsvForm()
    form.check()
    try:
        with open_content(path) as stream:
            encoding = encoding_of(stream.peek(HEAD_BYTES), form.encoding)
            lines = decoded_lines(stream, encoding, path.name, digest)
            head = list(islice(lines, PREAMBLE_LINES))
            found = _find_header(head, form.delimiter, is_header)
            if found is None:
                raise ImportFault(_no_header(path.name, head))
            reader = csv.reader(chain(head, lines), strict=True, delimiter=found.delimiter)
            for _ in range(found.records + 1):
                next(reader)
            again = CsvFile(path, replace(form, encoding=encoding, delimiter=found.delimiter))
            yield Table(found.cells, _rows(reader), again, found.preamble)
    except csv.Error as error:
        where = f"{path.name}, line {reader.line_num if reader else 1}"
        raise ImportFault(f"{where}: not readable as CSV ({error}); correct its quotes, then import again.") from None


def _no_header(file_name: str, head: Sequence[str]) -> str:
    if all_blank(head):
        return f"{file_name} is empty: a header line and rows were expected."
    return (
        f"{file_name}, line 1: not readable as CSV: its quotes are broken, or its lines end in CR alone as those of "
        "old programs do; save it again as CSV with the usual ends of lines."
    )


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


def _rows(reader: _LineReader) -> Iterator[Row]:
    number = 0
    begin = reader.line_num + 1
    for cells in reader:
        if not all_blank(cells):
            number += 1
            yield Row(number, begin, cells)
        begin = reader.line_num + 1
