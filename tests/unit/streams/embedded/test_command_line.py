"""The command group: lazy, and unbroken by a broken command."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from streams.cli.lazy_group import LazyGroup
from streams.cli.main import COMMANDS, main
from streams.settings import current_settings


def group(**sources: str) -> LazyGroup:
    return LazyGroup("threads-agent", sources, help="help", epilog="end")


def test_a_broken_command_breaks_no_other() -> None:
    cli = group(broken="streams.no_such_module:command", status="streams.cli.status:status")
    listed = CliRunner().invoke(cli, ["--help"])
    assert listed.exit_code == 0
    assert "No module named 'streams.no_such_module'" in " ".join(listed.output.split())
    assert "Example: threads-agent status --json" in listed.output
    assert CliRunner().invoke(cli, ["status", "--help"]).exit_code == 0


def test_a_fault_is_one_line_on_stderr_with_status_2() -> None:
    done = CliRunner().invoke(group(broken="streams.no_such_module:command"), ["broken", "--any", "thing"])
    assert done.exit_code == 2
    assert done.stderr.startswith("threads-agent: The command 'broken' is broken")
    assert len(done.stderr.splitlines()) == 1


def test_a_misspelt_setting_is_told_by_every_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREADS_KAFKAA", "x")
    current_settings.cache_clear()
    done = CliRunner().invoke(main, ["status"])
    current_settings.cache_clear()
    assert done.exit_code == 2
    assert "THREADS_KAFKAA is not a setting; did you mean THREADS_KAFKA?" in done.stderr


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_of_ours_shows_an_example(name: str) -> None:
    shown = CliRunner().invoke(main, [name, "--help"])
    assert shown.exit_code == 0
    assert f"threads-agent {name}" in shown.output
