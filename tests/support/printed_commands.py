"""What a command prints, as text and as JSON."""

from __future__ import annotations

import json
from typing import Any

import click
from click.testing import CliRunner


def printed(command: click.Command, *arguments: str) -> str:
    """Run a command that succeeds, on a terminal that is wide enough for its tables."""
    result = CliRunner().invoke(command, arguments, catch_exceptions=False, env={"COLUMNS": "250"})
    assert result.exit_code == 0, result.output
    return result.stdout


def parsed(command: click.Command, *arguments: str) -> Any:
    return json.loads(printed(command, *arguments, "--json"))
