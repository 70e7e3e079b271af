"""A Parquet file, read by Polars batch by batch: memory is bounded by its row groups, not by its size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from agents.importing.cells.visible_text import ImportFault
from agents.importing.sources.content import digest_file
from agents.importing.sources.nested import plain
from agents.importing.sources.source import Digest, FileOnDisk, IsHeader, Row, Table, Unit

BATCH_ROWS = 10_000
PARQUET_MAGIC = b"PAR1"


@dataclass(frozen=True, slots=True)
class ParquetFile(FileOnDisk):
    """A Parquet file; its columns have types, and values come as what they are."""

    path: Path

    @property
    def unit(self) -> Unit:
        """Return that places are rows."""
        return "row"

    @property
    def described(self) -> str:
        """Return what it is."""
        return "Parquet"

    @contextmanager
    def open(self, digest: Digest | None = None, is_header: IsHeader | None = None) -> Iterator[Table]:  # noqa: ARG002
        """Open the file; fields of structs are columns with dotted names.

        Raises:
            ImportFault: it can't be read, or it is cut off or broken.
        """
        try:
            digest_file(self.path, digest)
            scan = pl.scan_parquet(self.path, low_memory=True, glob=False)
            columns = dict(_columns(scan.collect_schema()))
            flat = scan.select(column.alias(name) for name, (column, _) in columns.items())
            nested = any(kind.is_nested() for _, kind in columns.values())
            types = {name: _type_name(kind) for name, (_, kind) in columns.items()}
            yield Table(list(columns), _rows(flat, nested=nested), self, types=types)
        except OSError as error:
            why = error.strerror or error
            raise ImportFault(f"{self.path}: can't be read ({why}); check the path and its permissions.") from None
        except pl.exceptions.PolarsError as error:
            why = str(error).splitlines()[0]
            raise ImportFault(
                f"{self.name}: not readable as Parquet ({why}); it is cut off or broken: fetch the file again."
            ) from None


def _columns(schema: Mapping[str, pl.DataType]) -> Iterator[tuple[str, tuple[pl.Expr, pl.DataType]]]:
    for name, kind in schema.items():
        yield from _flat(name, pl.col(name), kind)


def _flat(name: str, column: pl.Expr, kind: pl.DataType) -> Iterator[tuple[str, tuple[pl.Expr, pl.DataType]]]:
    if isinstance(kind, pl.Struct):
        for each in kind.fields:
            inner = pl.Enum([]) if each.dtype is None else each.dtype
            yield from _flat(f"{name}.{each.name}", column.struct.field(each.name), inner)  # type: ignore[arg-type]
    else:
        yield name, (column, kind)


def _type_name(kind: pl.DataType) -> str:
    if isinstance(kind, pl.Datetime):
        return f"timestamp with time zone {kind.time_zone}" if kind.time_zone else "timestamp without time zone"
    return str(kind).lower()


def _rows(scan: pl.LazyFrame, *, nested: bool) -> Iterator[Row]:
    number = 0
    for batch in scan.collect_batches(chunk_size=BATCH_ROWS, lazy=True):
        for cells in batch.iter_rows():
            number += 1
            yield Row(number, number, plain(cells) if nested else cells)
