"""What the commands ask PostgreSQL: on the database of the settings. The client is imported with the first question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sinks.reports.queries import Found


def asked(name: str, parameters: Mapping[str, object] | None = None, *, file: str = "reports.sql") -> list[Found]:
    """Return the rows of a statement in sql/.

    Raises:
        NoTables, Unavailable: see queries.report.
    """
    from sinks.reports.queries import report
    from streams.settings import current_settings

    return report(current_settings(), name, parameters, file=file)
