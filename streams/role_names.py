"""The names of the worker roles: entry points that agents and sinks declare, told without loading them."""

from __future__ import annotations

from importlib.metadata import entry_points

ENTRY_POINTS = "threads.roles"


def role_names() -> list[str]:
    """Return the names of all installed roles, sorted."""
    return sorted(entry.name for entry in entry_points(group=ENTRY_POINTS))
