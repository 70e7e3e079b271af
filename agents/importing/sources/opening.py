"""Which source a file is, by what it begins with; its name is heeded by nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from agents.importing.cells.visible_text import ImportFault
from agents.importing.sources.avro_file import AVRO_MAGIC, AvroFile
from agents.importing.sources.content import open_content
from agents.importing.sources.csv_file import CsvFile, CsvForm
from agents.importing.sources.json_lines import JsonLines
from agents.importing.sources.parquet_file import PARQUET_MAGIC, ParquetFile
from agents.importing.sources.source import Source
from agents.importing.sources.sql_query import SqlQuery

Format = Literal["csv", "jsonl", "parquet", "avro"]
FORMATS: tuple[Format, ...] = get_args(Format)
_HEAD_BYTES = 256
_OTHERS = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook: unpack it, or save the sheet as CSV",
    b"ORC": "an ORC file: write it as Parquet",
    b"ARROW1": "an Arrow file: write it as Parquet",
    b"%PDF": "a PDF file: export the data as CSV",
}


@dataclass(frozen=True, slots=True)
class SourceForm:
    """What is said of how files are to be read; None means that the content tells."""

    format: Format | None = None
    csv: CsvForm = field(default_factory=CsvForm)


@dataclass(frozen=True, slots=True)
class SqlSaid:
    """A query, where to ask it, and how long a statement of it may take."""

    sql: str
    dsn: str = field(repr=False)
    timeout_s: float


Origin = Path | SqlSaid
"""What a command names to import from."""


def name_of(origin: Origin) -> str:
    """Return the name of an origin, also of one that can't be read."""
    return origin.name if isinstance(origin, Path) else SqlQuery(origin.sql, origin.dsn, origin.timeout_s).name


def source_of(origin: Origin, form: SourceForm | None = None) -> Source:
    """Return the source that a file or a query is; it may turn out to be broken still.

    Raises:
        ImportFault: it can't be read, or is of a kind that is known to be none.
    """
    if isinstance(origin, SqlSaid):
        return SqlQuery(origin.sql, origin.dsn, origin.timeout_s)
    form = form or SourceForm()
    made: dict[Format, Callable[[Path], Source]] = {
        "csv": lambda path: CsvFile(path, form.csv),
        "jsonl": JsonLines,
        "parquet": ParquetFile,
        "avro": AvroFile,
    }
    return made[form.format or _format_of(origin)](origin)


def _format_of(path: Path) -> Format:
    with open_content(path) as stream:
        head = stream.peek(_HEAD_BYTES)[:_HEAD_BYTES]
    for magic, what in _OTHERS.items():
        if head.startswith(magic):
            raise ImportFault(f"{path.name} is {what}.")
    if head.startswith(PARQUET_MAGIC):
        return "parquet"
    if head.startswith(AVRO_MAGIC):
        return "avro"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return "jsonl" if text[:1] in {b"{", b"["} else "csv"
