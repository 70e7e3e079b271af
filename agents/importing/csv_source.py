"""A CSV file as a stream of rows in bounded memory: gzip by content, UTF-8, quoted line breaks, exact line numbers."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, cast

from agents.importing.fields import ImportFault

GZIP_MAGIC = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MAX_LINE_BYTES = 16 * 2**20
BUFFER_BYTES = 2**18


class Digest(Protocol):
    """What takes the content as it is read: an object of hashlib."""

    def update(self, data: bytes, /) -> None: ...


class _LineReader(Protocol):
    """What csv.reader returns."""

    @property
    def line_num(self) -> int: ...
    def __iter__(self) -> Iterator[list[str]]: ...


class CsvRow(NamedTuple):
    """A row after the header: its number from 1, the line of the file it begins on, and its cells."""

    number: int
    line: int
    cells: list[str]


class CsvSource(NamedTuple):
    """The header and the rows that follow it."""

    header: list[str]
    rows: Iterator[CsvRow]


@contextmanager
def open_csv(path: Path, digest: Digest | None = None) -> Iterator[CsvSource]:
    """Open a CSV file, gzipped or not; `digest` takes the decompressed content as the rows are read.

    Raises:
        ImportFault: the file is missing, empty, broken, or not UTF-8; the text names the line.
    """
    try:
        with _open_content(path) as stream:
            reader = csv.reader(_decoded_lines(stream, path.name, digest), strict=True)
            header = _header(reader, path.name)
            yield CsvSource(header, _rows(reader))
    except csv.Error as error:
        where = f"{path.name}, line {reader.line_num}"
        raise ImportFault(f"{where}: not readable as CSV ({error}); correct its quotes, then import again.") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ImportFault(f"{path.name}: the gzip data is broken or cut off ({error}); fetch the file again.") from None
    except OSError as error:
        why = error.strerror or error
        raise ImportFault(f"{path}: can't be read ({why}); check the path and its permissions.") from None


def _open_content(path: Path) -> AbstractContextManager[BinaryIO]:
    with path.open("rb") as stream:
        gzipped = stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    if not gzipped:
        return path.open("rb")
    unpacked = cast("io.RawIOBase", gzip.GzipFile(path))  # its own readline is slow, the buffer's is not
    return io.BufferedReader(unpacked, BUFFER_BYTES)


def _decoded_lines(stream: BinaryIO, file_name: str, digest: Digest | None) -> Iterator[str]:
    number = 0
    while line := stream.readline(MAX_LINE_BYTES):
        number += 1
        if digest is not None:
            digest.update(line)
        if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            where = f"{file_name}, line {number}"
            raise ImportFault(f"{where} is longer than {MAX_LINE_BYTES} bytes: a CSV file was expected.")
        try:
            yield (line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line).decode()
        except UnicodeDecodeError as error:
            byte = f"byte 0x{line[error.start]:02x} at position {error.start + 1}"
            raise ImportFault(
                f"{file_name}, line {number}: not UTF-8 ({byte}); nothing was sent. Save the file as UTF-8, "
                f"e.g. iconv -f WINDOWS-1252 -t UTF-8 {file_name} > utf8.csv, and import that."
            ) from None


def _header(reader: Iterator[list[str]], file_name: str) -> list[str]:
    for cells in reader:
        if cells:
            return [cell.strip() for cell in cells]
    raise ImportFault(f"{file_name} is empty: a header line and rows were expected.")


def _rows(reader: _LineReader) -> Iterator[CsvRow]:
    number = 0
    begin = reader.line_num + 1
    for cells in reader:
        if cells:
            number += 1
            yield CsvRow(number, begin, cells)
        begin = reader.line_num + 1
