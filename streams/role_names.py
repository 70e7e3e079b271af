"""The names of the worker roles: entry points that agents and sinks declare, told without loading them."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.settings import Settings

ENTRY_POINTS = "threads.roles"


def roles_at_work(settings: Settings) -> tuple[list[str], list[str]]:
    """Return the roles that have something to do with these settings, and a line about each of the others."""
    idle = settings.all_idle_roles()
    left_out = [f"{name} is left out: {idle[name]}" for name in role_names() if name in idle]
    return [name for name in role_names() if name not in idle], left_out


def role_names() -> list[str]:
    """Return the names of all installed roles, sorted."""
    return sorted(entry.name for entry in entry_points(group=ENTRY_POINTS))
