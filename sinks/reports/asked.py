"""What the commands ask PostgreSQL: on the database of the settings. The client is imported with the first question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sinks.reports.queries import Found


WHOLE_LIST = {"before_at": None, "before_id": None, "limit": None}
"""Parameters of a list by time from the newest to the oldest, not a page of it."""


def asked(name: str, parameters: Mapping[str, object] | None = None, *, file: str = "reports.sql") -> list[Found]:
    """Return the rows of a statement in sql/.

    Raises:
        NoTables, Unavailable: see queries.report.
    """
    from sinks.reports.queries import report
    from streams.settings import current_settings

    return report(current_settings(), name, parameters, file=file)


def of_personas(persona: str | None) -> list[str] | None:
    """Return the parameter `personas` of statements that are about one persona, or about all where it is None."""
    return None if persona is None else [persona]
