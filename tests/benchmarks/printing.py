"""Showing results: a table for people, JSON for programs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence

import click

from streams.cli.table import Cell, Column, Table, count, print_table

LEAST_WORDS = 2


def print_json(result: Mapping[str, object]) -> None:
    """Print a result as JSON, with what is known of the machine."""
    click.echo(json.dumps({**result, "cores": os.cpu_count()}, indent=2))


def print_results(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under columns; numbers stand right, whole ones with commas between thousands."""
    headed = [_column(name, [row[number] for row in rows]) for number, name in enumerate(columns)]
    print_table(Table(headed, [[_shown(value) for value in row] for row in rows], title=title))


def _column(heading: str, values: Sequence[object]) -> Column:
    if all(isinstance(value, int | float) for value in values):
        return Column(heading, "number")
    return Column(heading, "text" if any(len(str(value).split()) > LEAST_WORDS for value in values) else "word")


def _shown(value: object) -> Cell:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return count(value)
