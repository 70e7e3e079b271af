from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from agents.importing.fields import FieldMapping, ImportFault, bind
from agents.importing.reading import survey
from agents.importing.sources.csv_file import MAX_LINE_BYTES, CsvFile, open_csv

VIEWS = FieldMapping(columns={"occurred_at": ("day",), "views": ("views",)}, time_format="iso8601", persona_id="ada")


def written(folder: Path, content: bytes, name: str = "export.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def fault(path: Path, mapping: FieldMapping = VIEWS) -> str:
    with pytest.raises(ImportFault) as caught:
        survey(CsvFile(path), mapping)
    return str(caught.value)


def test_rows_know_their_number_and_the_line_they_begin_on(tmp_path: Path) -> None:
    path = written(tmp_path, b'a,b\n1,"two\nlines"\n\n3,4\n')
    with open_csv(path) as source:
        assert source.header == ["a", "b"]
        assert [tuple(row) for row in source.rows] == [(1, 2, ["1", "two\nlines"]), (2, 5, ["3", "4"])]


def test_gzip_is_told_by_content_and_does_not_change_the_identity(tmp_path: Path) -> None:
    content = b"day,views\n2026-01-01,3\n"
    plain = survey(CsvFile(written(tmp_path, content)), VIEWS)
    packed = survey(CsvFile(written(tmp_path, gzip.compress(content), "named.csv")), VIEWS)
    assert plain.source_key == packed.source_key
    assert plain.rows == packed.rows == 1


def test_the_digest_is_that_of_the_whole_decompressed_content(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbfday,views\r\n2026-01-01,3\r\n2026-01-02,4"
    digest = hashlib.sha256()
    with open_csv(written(tmp_path, gzip.compress(content)), digest) as source:
        assert source.header == ["day", "views"]
        assert len(list(source.rows)) == 2
    assert digest.hexdigest() == hashlib.sha256(content).hexdigest()


def test_another_mapping_is_another_import(tmp_path: Path) -> None:
    path = written(tmp_path, b"day,views\n2026-01-01,3\n")
    other = FieldMapping(columns=VIEWS.columns, time_format="iso8601", persona_id="bo")
    assert survey(CsvFile(path), VIEWS).source_key != survey(CsvFile(path), other).source_key


def test_the_newest_time_is_found_past_unreadable_ones(tmp_path: Path) -> None:
    path = written(tmp_path, b"day,views\n2026-01-02,3\nsoon,1\n2026-01-01,4\n")
    assert survey(CsvFile(path), VIEWS, find_newest=True).newest_ms == 1767312000000


def test_a_file_without_any_readable_time_cannot_be_shifted(tmp_path: Path) -> None:
    path = written(tmp_path, b"day,views\nsoon,1\n")
    with pytest.raises(ImportFault, match="no row has a readable time"):
        survey(CsvFile(path), VIEWS, find_newest=True)


def test_bad_utf8_is_named_by_its_line_with_what_to_do(tmp_path: Path) -> None:
    message = fault(written(tmp_path, b"day,views\n2026-01-01,3\n2026-01-0\xe9,3\n"))
    assert "line 3" in message
    assert "0xe9" in message
    assert "iconv" in message


def test_all_missing_columns_are_listed_with_those_there_are(tmp_path: Path) -> None:
    message = fault(written(tmp_path, b"date,view\n2026-01-01,3\n"))
    assert "occurred_at: no column 'day'" in message
    assert "views: no column 'views'; did you mean 'view'?" in message
    assert "The file has: 'date', 'view'" in message


def test_a_column_there_twice_is_refused_only_where_it_is_used() -> None:
    with pytest.raises(ImportFault, match="'views' more than once"):
        bind(VIEWS, ["day", "views", "views"], "x.csv")
    assert bind(VIEWS, ["day", "", "", "views"], "x.csv").positions == {"occurred_at": 0, "views": 3}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"day,views\n", "no rows"),
        (b'day,views\n2026-01-01,"3\n', "line 2: not readable as CSV"),
        (gzip.compress(b"day,views\n2026-01-01,3\n" * 100, mtime=0)[:-20], "cut off"),
        (b"day,views\n" + b"x" * MAX_LINE_BYTES, "line 2 is longer"),
    ],
)
def test_a_file_that_is_no_table_gets_one_clear_message(tmp_path: Path, content: bytes, expected: str) -> None:
    assert expected in fault(written(tmp_path, content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "nowhere.csv: can't be read (No such file" in fault(tmp_path / "nowhere.csv")
