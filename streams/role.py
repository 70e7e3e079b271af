"""Roles: what `threads-agent worker ROLE` runs. Agents and sinks declare theirs as entry points (`threads.roles`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points

from streams.engine.stage import AnyStage
from streams.errors import SettingsError
from streams.role_names import ENTRY_POINTS, role_names
from streams.settings import Settings

__all__ = ["ENTRY_POINTS", "Role", "load_role", "role_names"]


@dataclass(frozen=True, slots=True)
class Role:
    """A named set of stages that share one consumer group; the group's id is the name.

    `build` makes fresh stages for one worker. Stages of one role read different topics.
    """

    name: str
    build: Callable[[Settings], Sequence[AnyStage]]


def load_role(name: str) -> Role:
    """Load the role that an entry point names.

    Raises:
        SettingsError: no such role; the message lists those there are.
    """
    for entry in entry_points(group=ENTRY_POINTS, name=name):
        role = entry.load()
        assert isinstance(role, Role)
        return role
    raise SettingsError(f"There is no role {name!r}; choose from: {', '.join(role_names())}")
