"""The help of `import` says what there is, although it loads none of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.importing.commands import PRESETS, import_group
from agents.importing.fields import FIELDS
from agents.importing.presets import preset_names
from agents.importing.records.kinds import KINDS, RecordKind
from agents.importing.records.presets import preset_names as record_presets
from agents.importing.times import NAMED_FORMATS


def test_help_names_every_field_format_and_preset() -> None:
    shown = CliRunner().invoke(import_group, ["engagement", "--help"], terminal_width=10_000).stdout
    assert f"Fields: {', '.join(FIELDS)}." in shown
    assert f"{', '.join(NAMED_FORMATS)}, or a strptime format" in shown
    assert preset_names() == PRESETS
    assert f"{', '.join(PRESETS)}." in shown


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_help_names_every_field_and_preset_of_a_kind_of_records(kind: RecordKind) -> None:
    shown = CliRunner().invoke(import_group, [kind.name, "--help"], terminal_width=10_000).stdout
    assert f"Fields: {', '.join(kind.names)}." in shown
    assert all(name in shown for name in record_presets(kind.name))
    assert f"Example: threads-agent import {kind.name} " in shown


def test_a_dry_run_without_a_broker_says_what_it_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREADS_HOME", str(tmp_path / "home"))
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("id,time,text\n1,2026-01-05,Hi\n")
    bad.write_text("id,time,text\n1,2026-01-05,Hi\n2,soon,Ho\n")
    words = ["posts", "--persona", "ada", "--dry-run", "--rejects", str(tmp_path / "rejects")]
    done = CliRunner().invoke(import_group, [*words, str(good)])
    assert done.exit_code == 0
    assert "id: column 'id'" in done.stdout
    assert "1 rows of posts: 1 to send" in done.stdout
    done = CliRunner().invoke(import_group, [*words, str(good), str(bad)])
    assert done.exit_code == 1
    assert (tmp_path / "rejects" / "bad.csv.rejects.csv").read_text().splitlines()[1].startswith("3,")
