"""Options of every `import` command that say where rows come from, and what they mean."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

FORMATS = ["csv", "jsonl", "parquet", "avro"]  # as sources/opening.py has them: help must not wait for it
_OPTIONS: tuple[Callable[[Callable[..., None]], Callable[..., None]], ...] = (
    click.argument("files", nargs=-1, metavar="FILE...", type=click.Path(path_type=Path)),
    click.option("--format", "file_format", type=click.Choice(FORMATS), help="Default: told by the content."),
    click.option("--sql", metavar="QUERY", help="Import the rows of a PostgreSQL query, too."),
    click.option("--dsn", metavar="DSN", help="Where to ask it. Default: THREADS_POSTGRES_DSN, or the stack's."),
    click.option("--sql-timeout", type=click.FloatRange(1), default=600.0, metavar="S", help="Default: 600 s."),
    click.option("--encoding", metavar="NAME", help="Of CSV files. Default: that of the byte order mark, or utf-8."),
    click.option("--delimiter", metavar="SIGN", help="Sign between columns of CSV files, or tab. Default: found."),
    click.option(
        "--rejects",
        metavar="FOLDER",
        type=click.Path(path_type=Path, file_okay=False),
        help="Write bad rows with line and reason to FOLDER/<file>.rejects.csv.",
    ),
)


def source_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of sources; it takes them as keywords, for `Sources.said`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
