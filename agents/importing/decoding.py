"""The bytes of a file as lines of text: its encoding is told by its mark or said, never guessed by its letters."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import BinaryIO, Protocol

from agents.importing.import_fault import ImportFault

MAX_LINE_BYTES = 16 * 2**20
BUFFER_BYTES = 2**18
BYTE_ORDER_MARK = "\ufeff"
_LEAST_WIDE = 4
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Digest(Protocol):
    """What takes the content as it is read: an object of hashlib."""

    def update(self, data: bytes, /) -> None: ...


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
    number = 0
    while line := stream.readline(MAX_LINE_BYTES):
        number += 1
        if digest is not None:
            digest.update(line)
        if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            raise _too_long(file_name, number)
        try:
            yield line.decode(encoding)
        except UnicodeDecodeError as error:
            byte = f"byte 0x{line[error.start]:02x} at position {error.start + 1}"
            raise _undecodable(file_name, number, encoding, byte) from None


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
