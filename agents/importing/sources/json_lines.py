"""A file with a JSON object on each line: numbers exactly as they are written, nested values by dotted names."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from agents.importing.cells.typed import Cell
from agents.importing.cells.visible_text import ImportFault
from agents.importing.sources.content import open_content
from agents.importing.sources.csv_file import MAX_LINE_BYTES
from agents.importing.sources.nested import flattened
from agents.importing.sources.source import Digest, FileOnDisk, IsHeader, Row, Table, Unit

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class JsonLines(FileOnDisk):
    """A file of JSON lines, compressed or not; `header` is None until all lines were looked through for their keys."""

    path: Path
    header: tuple[str, ...] | None = None

    @property
    def unit(self) -> Unit:
        """Return that places are lines."""
        return "line"

    @property
    def described(self) -> str:
        """Return what it is."""
        return "JSON lines, utf-8"

    @contextmanager
    def open(self, digest: Digest | None = None, is_header: IsHeader | None = None) -> Iterator[Table]:  # noqa: ARG002
        """Open the file; the first time all of it is read for the names of its columns, in the order they come in.

        Raises:
            ImportFault: a line is no JSON object, or not UTF-8; the text names it.
        """
        header = self.header if self.header is not None else self._keys()
        with open_content(self.path) as stream:
            rows = self._rows(_lines(stream, self.name, digest), header)
            yield Table(list(header), rows, JsonLines(self.path, header))

    def _keys(self) -> tuple[str, ...]:
        keys: dict[str, None] = {}
        with open_content(self.path) as stream:
            for line, text in _lines(stream, self.name, None):
                keys |= dict.fromkeys(name for name, _ in flattened(_record(text, self.name, line)))
        if not keys:
            raise ImportFault(f"{self.name} is empty: a JSON object on each line was expected.")
        return tuple(keys)

    def _rows(self, lines: Iterator[tuple[int, bytes]], header: tuple[str, ...]) -> Iterator[Row]:
        for number, (line, text) in enumerate(lines, start=1):
            values: dict[str, Cell] = dict(flattened(_record(text, self.name, line)))
            yield Row(number, line, [values.get(name) for name in header])


def _lines(stream: Any, file_name: str, digest: Digest | None) -> Iterator[tuple[int, bytes]]:  # noqa: ANN401 - binary
    number = 0
    while text := stream.readline(MAX_LINE_BYTES):
        number += 1
        if digest is not None:
            digest.update(text)
        if len(text) == MAX_LINE_BYTES and not text.endswith(b"\n"):
            raise ImportFault(
                f"{file_name}, line {number} is longer than {MAX_LINE_BYTES} bytes: JSON lines have one "
                "object on each line, e.g. written by jq -c '.[]'."
            )
        if number == 1:
            text = text.removeprefix(codecs.BOM_UTF8)
        if not text.isspace():
            yield number, text


def _record(text: bytes, file_name: str, line: int) -> Record:
    try:
        record = json.loads(text.decode(), parse_float=Decimal, parse_constant=_no_number)
    except UnicodeDecodeError:
        raise ImportFault(f"{file_name}, line {line}: not UTF-8, as JSON has to be; save it as UTF-8.") from None
    except (ValueError, RecursionError) as error:
        raise ImportFault(
            f"{file_name}, line {line}: not readable as JSON ({error}); each line must be one object, complete."
        ) from None
    if not isinstance(record, dict):
        what = "an array: write one object a line, e.g. jq -c '.[]'" if isinstance(record, list) else "no object"
        raise ImportFault(f"{file_name}, line {line} is {what}.")
    return record


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")
