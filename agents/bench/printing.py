"""Showing results: a table for people, JSON for programs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence

import click
from rich.console import Console
from rich.table import Table

LEAST_WIDTH = 110  # into a file, where there is no terminal to ask


def print_json(result: Mapping[str, object]) -> None:
    """Print a result as JSON, with what is known of the machine."""
    click.echo(json.dumps({**result, "cores": os.cpu_count()}, indent=2))


def table_console() -> Console:
    """Return a console on stdout that is wide enough for the tables where stdout is no terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, LEAST_WIDTH))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under columns; numbers stand right, whole ones with commas between thousands."""
    table = Table(title=title)
    for number, name in enumerate(columns):
        are_numbers = all(isinstance(row[number], int | float) for row in rows)
        table.add_column(name, justify="right" if are_numbers else "left")
    for row in rows:
        table.add_row(*(_shown(value) for value in row))
    table_console().print(table)


def _shown(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}"
