"""The same rows from every kind of file, values as they are, and one clear message where a file is broken."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import polars as pl
import pytest
import zstandard

from agents.importing.cells.typed import Cell
from agents.importing.cells.visible_text import ImportFault
from agents.importing.sources.avro_file import AvroFile
from agents.importing.sources.csv_file import CsvFile
from agents.importing.sources.json_lines import JsonLines
from agents.importing.sources.opening import Format, SourceForm, source_of
from agents.importing.sources.parquet_file import ParquetFile

NOON = datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)
SCHEMA = {
    "type": "record",
    "name": "Row",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "sum", "type": {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 6}},
        {
            "name": "of",
            "type": {"type": "record", "name": "Of", "fields": [{"name": "who", "type": ["null", "string"]}]},
        },
    ],
}
RECORD = {"id": 2**62 + 1, "at": NOON, "day": date(2026, 3, 1), "sum": Decimal("12345678901234.000001")}


def rows(path: Path, form: SourceForm | None = None) -> tuple[list[str], list[Sequence[Cell]]]:
    with source_of(path, form).open() as table:
        return table.header, [list(row.cells) for row in table.rows]


def csv_file(path: Path, packed: Callable[[bytes], bytes] = bytes) -> Path:
    path.write_bytes(packed(b"a,b\n1,x\n2,y\n"))
    return path


def json_file(path: Path) -> Path:
    path.write_text('{"a": 1, "b": "x"}\n\n{"a": 2, "b": "y"}\n')
    return path


def parquet_file(path: Path, count: int = 2) -> Path:
    pl.DataFrame({"a": range(1, count + 1), "b": ["x", "y"] * (count // 2)}).write_parquet(path)
    return path


def avro_file(path: Path, records: Sequence[dict[str, Any]] | None = None) -> Path:
    schema: Any = SCHEMA
    if records is None:
        schema = {
            "type": "record",
            "name": "R",
            "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": "string"}],
        }
        records = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    with path.open("wb") as file:
        fastavro.writer(file, schema, records)
    return path


@pytest.mark.parametrize(
    ("write", "kind", "first"),
    [
        (csv_file, CsvFile, ["1", "x"]),
        (json_file, JsonLines, [1, "x"]),
        (parquet_file, ParquetFile, [1, "x"]),
        (avro_file, AvroFile, [1, "x"]),
    ],
)
def test_a_file_is_told_by_its_content_whatever_its_name_is(
    tmp_path: Path, write: Callable[[Path], Path], kind: type, first: list[Cell]
) -> None:
    path = write(tmp_path / "export.xls")
    source = source_of(path)
    assert isinstance(source, kind)
    digests = []
    for _ in range(2):  # as often as it is opened, from the beginning
        digest = hashlib.sha256()
        with source.open(digest) as table:
            assert table.header == ["a", "b"]
            read = list(table.rows)
        digests.append(digest.hexdigest())
        assert [row.number for row in read] == [1, 2]
        assert list(read[0].cells) == first
    assert len(set(digests)) == 1
    assert digests[0] == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("packed", [gzip.compress, zstandard.compress])
def test_packed_files_are_unpacked_and_told_by_what_is_in_them(
    tmp_path: Path, packed: Callable[[bytes], bytes]
) -> None:
    assert rows(csv_file(tmp_path / "x", packed))[1] == [["1", "x"], ["2", "y"]]
    (tmp_path / "y").write_bytes(packed(b'{"a": 1}\n') + packed(b'{"a": 2}\n'))  # two frames
    assert rows(tmp_path / "y") == (["a"], [[1], [2]])


def test_what_is_said_wins_over_what_a_file_looks_like(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("{a},b\n1,2\n")
    assert rows(path, SourceForm("csv")) == (["{a}", "b"], [["1", "2"]])


def test_json_lines_may_differ_in_their_keys_and_nest_and_keep_their_digits(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(
        '\ufeff{"post": {"id": "p1", "by": {"who": "ada"}}, "n": 9007199254740993, "sum": 0.1234567890123456789}\n'
        '{"tags": ["a", "ö"], "post": {"id": null}}\n',
        encoding="utf-8",
    )
    header, read = rows(path)
    assert header == ["post.id", "post.by.who", "n", "sum", "tags"]
    assert read == [
        ["p1", "ada", 9007199254740993, Decimal("0.1234567890123456789"), None],
        [None, None, None, None, '["a", "ö"]'],
    ]


def test_parquet_values_are_what_they_are_and_structs_are_columns(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "id": [2**62 + 1, None],
            "at": pl.Series([NOON, None], dtype=pl.Datetime("us", "UTC")),
            "local": pl.Series([NOON.replace(tzinfo=None), None], dtype=pl.Datetime("ms")),
            "day": [date(2026, 3, 1), None],
            "sum": pl.Series([Decimal("12345678901234.000001"), None], dtype=pl.Decimal(20, 6)),
            "of": [{"who": "ada", "tags": ["a"]}, None],
        }
    )
    frame.write_parquet(tmp_path / "x.parquet")
    header, read = rows(tmp_path / "x.parquet")
    assert header == ["id", "at", "local", "day", "sum", "of.who", "of.tags"]
    assert read[0] == [2**62 + 1, NOON, NOON.replace(tzinfo=None), *[*RECORD.values()][2:], "ada", '["a"]']
    assert read[1] == [None] * 7
    with ParquetFile(tmp_path / "x.parquet").open() as table:
        assert table.types["at"] == "timestamp with time zone UTC"
        assert table.types["local"] == "timestamp without time zone"


def test_avro_values_are_of_their_logical_types(tmp_path: Path) -> None:
    path = avro_file(tmp_path / "x.avro", [{**RECORD, "of": {"who": "ada"}}, {**RECORD, "of": {"who": None}}])
    header, read = rows(path)
    assert header == ["id", "at", "day", "sum", "of.who"]
    assert read == [[*RECORD.values(), "ada"], [*RECORD.values(), None]]
    with AvroFile(path).open() as table:
        assert table.types == {
            "id": "long",
            "at": "timestamp-millis",
            "day": "date",
            "sum": "decimal",
            "of.who": "string",
        }


def cut(content: bytes) -> bytes:
    return content[: len(content) * 2 // 3]


@pytest.mark.parametrize(
    ("content", "said", "expected"),
    [
        (b"", "jsonl", "is empty"),
        (b"", "parquet", "not readable as Parquet"),
        (b"", "avro", "not readable as an Avro container"),
        (b"PK\x03\x04 and so on", None, "save the sheet as CSV"),
        (b'[{"a": 1}]', None, "line 1 is an array: write one object a line"),
        (b'{"a": 1}\n{"a": \n', None, "line 2: not readable as JSON"),
        (b'{"a": 1}\n{"a": NaN}\n', None, "line 2: not readable as JSON .NaN is no number"),
        (b'{"a": "\xe9"}\n', None, "line 1: not UTF-8"),
        (b'{"a": 1}\n2\n', None, "line 2 is no object"),
        (b"a,b\n1,2\n", "parquet", "not readable as Parquet"),
        (b"a,b\n1,2\n", "avro", "not readable as an Avro container"),
        (cut(zstandard.compress(b"a,b\n1,2\n" * 99)), None, "zstd data is broken or cut off"),
        (cut(gzip.compress(json.dumps({"a": 1}).encode() + b"\n", mtime=0)), "jsonl", "gzip data is broken or cut off"),
    ],
)
def test_a_broken_file_gets_one_clear_message(
    tmp_path: Path, content: bytes, said: Format | None, expected: str
) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(ImportFault, match=expected) as caught:
        rows(path, SourceForm(said))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["parquet", "avro"])
def test_a_file_that_is_cut_off_is_found_out_before_anything_is_sent(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    if kind == "parquet":
        parquet_file(path, 2_000)
    else:
        avro_file(path, [{**RECORD, "of": {"who": str(number)}} for number in range(2_000)])
    path.write_bytes(cut(path.read_bytes()))
    with pytest.raises(ImportFault, match="cut off or broken"):
        rows(path)


def test_a_missing_file_of_any_kind_is_named(tmp_path: Path) -> None:
    for said in ("csv", "jsonl", "parquet", "avro", None):
        with pytest.raises(ImportFault, match=r"nowhere: can't be read \(No such file"):
            rows(tmp_path / "nowhere", SourceForm(said))
