from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agents.importing.cells.visible_text import ImportFault
from agents.importing.decisions.ledger import LedgerState
from agents.importing.fields import FieldMapping
from agents.importing.reading import survey
from agents.importing.rejects import rejects_in
from agents.importing.run import preview_source
from agents.importing.sources.csv_file import CsvFile
from agents.importing.sources.source import Row

MAPPING = FieldMapping(
    columns={"post_id": ("post",), "occurred_at": ("at",), "views": ("seen",)}, time_format="iso8601", persona_id="ada"
)


def rejected(path: Path, folder: Path) -> Path | None:
    found = survey(CsvFile(path), MAPPING)
    with rejects_in(folder, path.name) as rejects:
        preview_source(found, LedgerState(), rejects)
    return rejects.path


def test_bad_rows_are_written_as_they_came_and_can_be_corrected_there(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('post,at,seen\np1,2026-01-01,3\n"p,2",soon,1\n\np3,2026-01-02,-4\np4,2026-01-02\n')
    written = rejected(path, tmp_path / "bad")
    assert written == tmp_path / "bad" / "x.csv.rejects.csv"
    with written.open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["rejected_line", "rejected_reason", "post", "at", "seen"]
    assert [(row[0], row[2:]) for row in rows] == [
        ("3", ["p,2", "soon", "1"]),
        ("5", ["p3", "2026-01-02", "-4"]),
        ("6", ["p4", "2026-01-02"]),
    ]
    assert "'soon' is not an ISO 8601 time" in rows[0][1]
    assert [each.name for each in written.parent.iterdir()] == [written.name]
    written.write_text(written.read_text().replace("soon", "2026-01-03").replace("-4", "4").replace("02\n", "02,9\n"))
    assert rejected(written, tmp_path / "bad") is None  # all are good now


def test_an_earlier_file_of_rejects_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "x.csv.rejects.csv").write_text("corrected by hand")
    with rejects_in(tmp_path, "x.csv") as rejects:
        rejects.add(Row(1, 2, [datetime(2026, 1, 1, tzinfo=UTC), None]), "why")
    assert rejects.path == tmp_path / "x.csv.rejects-2.csv"
    assert rejects.path.read_text().splitlines()[1] == "2,why,2026-01-01T00:00:00+00:00,"


def test_a_broken_off_import_leaves_no_half_file(tmp_path: Path) -> None:
    def broken_off() -> None:
        with rejects_in(tmp_path, "x.csv") as rejects:
            rejects.add(Row(1, 2, ["a"]), "why")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken_off()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_not_be_written_to_is_one_clear_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ImportFault, match="the rejected rows can't be written"),
        rejects_in(tmp_path / "file", "x") as rejects,
    ):
        rejects.add(Row(1, 2, ["a"]), "why")
