"""The rows that could not be imported, as they came, with line and reason: a CSV file to correct and import again."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from agents.importing.cells.typed import Cell, text_of
from agents.importing.cells.visible_text import ImportFault
from agents.importing.sources.source import Row

if TYPE_CHECKING:
    from _csv import Writer

LINE, REASON = "rejected_line", "rejected_reason"


class Rejects:
    """Takes the bad rows of one source. Its file is there, whole, when the last row is in, and only if one was bad.

    It has the source's columns behind LINE and REASON, in UTF-8. `path` is None until there is something to write.
    """

    def __init__(self, folder: Path | None = None, name: str = "") -> None:
        """Write to `folder`, under the source's name; None means that nobody wants the rows."""
        self._folder, self._name = folder, name
        self.header: Sequence[str] = ()  # of the source, which whoever reads it knows
        self._writer: Writer | None = None
        self.path: Path | None = None

    def add(self, row: Row, reason: str) -> None:
        """Add a row.

        Raises:
            ImportFault: the folder can't be written to.
        """
        if self._folder is None:
            return
        try:
            writer = self._writer or self._begun(self._folder)
            writer.writerow([row.line, reason, *map(_text, row.cells)])
        except OSError as error:
            raise self._fault(error) from None

    def finish(self) -> None:
        """Put the file in its place; raises ImportFault as `add` does."""
        if self._writer is None or self.path is None:
            return
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._unfinished.replace(self.path)
        except OSError as error:
            raise self._fault(error) from None

    def discard(self) -> None:
        """Leave no unfinished file behind."""
        if self._writer is not None:
            with suppress(OSError):
                self._file.close()
                self._unfinished.unlink(missing_ok=True)

    def _begun(self, folder: Path) -> Writer:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = _free(folder, self._name)
        self._unfinished = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        self._file = self._unfinished.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow([LINE, REASON, *self.header])
        return self._writer

    def _fault(self, error: OSError) -> ImportFault:
        return ImportFault(f"{self._folder}: the rejected rows can't be written ({error.strerror or error}).")


@contextmanager
def rejects_in(folder: Path | None, name: str) -> Iterator[Rejects]:
    """Give the rejects of a source; their file is put in its place at the end, or left out where that fails."""
    rejects = Rejects(folder, name)
    try:
        yield rejects
        rejects.finish()
    finally:
        rejects.discard()


def _free(folder: Path, name: str) -> Path:
    """Return a path that is free: an earlier file may hold rows that somebody has corrected."""
    stem = name.replace("/", "_")
    names = (f"{stem}.rejects{'' if number == 1 else f'-{number}'}.csv" for number in count(1))
    return next(path for each in names if not (path := folder / each).exists())


def _text(cell: Cell) -> str:
    try:
        return text_of(cell)
    except ValueError:
        return str(cell)
