"""The help of `import engagement` says what there is, although it loads none of it."""

from __future__ import annotations

from click.testing import CliRunner

from agents.importing.commands import PRESETS, import_group
from agents.importing.fields import FIELDS
from agents.importing.presets import preset_names
from agents.importing.times import NAMED_FORMATS


def test_help_names_every_field_format_and_preset() -> None:
    shown = CliRunner().invoke(import_group, ["engagement", "--help"], terminal_width=10_000).stdout
    assert f"Fields: {', '.join(FIELDS)}." in shown
    assert f"{', '.join(NAMED_FORMATS)}, or a strptime format" in shown
    assert preset_names() == PRESETS
    assert f"{', '.join(PRESETS)}." in shown
