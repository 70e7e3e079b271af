"""Real exports of social analytics, which lie beside the repository where they are there."""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "exports"


def export_file(name: str) -> Path:
    """Return the path of an export; the test is skipped where it is not there."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"real export not there: {name} is looked for in shared/data/exports next to the repository")
    return path
