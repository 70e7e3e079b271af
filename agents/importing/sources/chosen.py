"""What a command names to import from, as its options say it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from agents.importing.sources.csv_file import CsvForm
from agents.importing.sources.opening import Format, Origin, SourceForm, SqlSaid
from streams.endpoints import require_postgres
from streams.settings import current_settings


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the rows of a command come from, in which form, and where bad ones go."""

    origins: tuple[Origin, ...]
    form: SourceForm
    rejects: Path | None = None

    @classmethod
    def said(
        cls,
        *,
        files: tuple[Path, ...],
        file_format: Format | None,
        sql: str | None,
        dsn: str | None,
        sql_timeout: float,
        encoding: str | None,
        delimiter: str | None,
        rejects: Path | None,
    ) -> Sources:
        """Return what the options say.

        Raises:
            click.UsageError: they name nothing to import, or a DSN and no query.
            SettingsError: no PostgreSQL is known to ask.
        """
        if not files and sql is None:
            raise click.UsageError("Nothing to import: name files, or a query with --sql.")
        if dsn is not None and sql is None:
            raise click.UsageError("--dsn says where to ask a query: add --sql.")
        form = SourceForm(file_format, CsvForm(encoding, "\t" if delimiter in {"tab", "\\t"} else delimiter))
        query = () if sql is None else (SqlSaid(sql, dsn or require_postgres(current_settings()), sql_timeout),)
        return cls((*files, *query), form, rejects)
