"""`schemas check` and `schemas register` in a checkout whose files somebody edits."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from schemas.definitions import PACKAGE_FOLDER
from tests.conftest import REPOSITORY

TIMEOUT_S = 60


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(PACKAGE_FOLDER, tmp_path / "check out" / "schemas")
    return tmp_path / "check out"


def _run(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join((str(checkout), str(REPOSITORY)))
    return subprocess.run(
        [sys.executable, "-m", "streams.cli.main", "schemas", *arguments],
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env={**os.environ, "PYTHONPATH": paths},
        check=False,
    )


def _add_field(checkout: Path, field: dict[str, Any]) -> None:
    path = checkout / "schemas" / "avro" / "engagement_event.avsc"
    schema = json.loads(path.read_text(encoding="utf-8"))
    schema["fields"].append(field)
    path.write_text(json.dumps(schema), encoding="utf-8")


def test_a_bad_change_fails_the_check_with_the_reason_and_is_not_registered(checkout: Path) -> None:
    _add_field(checkout, {"name": "country", "type": "string"})
    checked = _run(checkout, "check")
    assert checked.returncode == 1
    assert "change: field 'country' added, no default" in checked.stdout
    assert "refused: id 7: field 'country' is new and has no default" in checked.stderr
    index = (checkout / "schemas" / "registry.json").read_bytes()
    assert _run(checkout, "register").returncode == 1
    assert (checkout / "schemas" / "registry.json").read_bytes() == index


def test_a_good_change_passes_the_check_and_gets_the_next_id(checkout: Path) -> None:
    _add_field(checkout, {"name": "country", "type": ["null", "string"], "default": None})
    checked = _run(checkout, "check")
    assert checked.returncode == 0
    assert "engagement.events-value: compatible\n  change: field 'country' added, default null" in checked.stdout
    next_id = max(int(path.stem) for path in (checkout / "schemas" / "versions").glob("*.avsc")) + 1
    registered = _run(checkout, "register")
    assert registered.returncode == 0
    assert f"engagement.events-value: id {next_id}" in registered.stdout
    assert "0 to register" in _run(checkout, "check").stdout


def test_a_file_that_is_no_json_is_named(checkout: Path) -> None:
    (checkout / "schemas" / "avro" / "cost_event.avsc").write_text("{", encoding="utf-8")
    checked = _run(checkout, "check")
    assert checked.returncode == 2
    assert "cost_event.avsc: expected an Avro record as JSON" in checked.stderr
    assert "Traceback" not in checked.stderr
