"""Roles: what `threads-agent worker ROLE` runs. Agents and sinks declare theirs as entry points (`threads.roles`).

A role has stages, which the engine feeds, or is a service, which runs by itself until it is asked to stop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points

from streams.engine.service import ServiceRun
from streams.engine.stage import AnyStage
from streams.errors import SettingsError
from streams.role_names import ENTRY_POINTS, role_names
from streams.settings import Settings

__all__ = ["ENTRY_POINTS", "AnyRole", "Role", "ServiceRole", "load_role", "role_names"]


@dataclass(frozen=True, slots=True)
class Role:
    """A named set of stages that share one consumer group; the group's id is the name.

    `build` makes fresh stages for one worker. Stages of one role read different topics.
    """

    name: str
    build: Callable[[Settings], Sequence[AnyStage]]


@dataclass(frozen=True, slots=True)
class ServiceRole:
    """A named service without stages: an async function that serves until it is asked to stop.

    `serve` calls `ready` of the run it is given once it can do its work, returns soon after `stopping` is set, and
    closes what it opened. An error that it raises before it is ready is told on one line if it is a ThreadsError, and
    ends the worker; any later one, or its return, starts the worker again with back-off, as a fault of a stage does.
    """

    name: str
    serve: Callable[[ServiceRun], Awaitable[None]]


AnyRole = Role | ServiceRole


def load_role(name: str) -> AnyRole:
    """Load the role that an entry point names.

    Raises:
        SettingsError: no such role; the message lists those there are.
    """
    for entry in entry_points(group=ENTRY_POINTS, name=name):
        role = entry.load()
        assert isinstance(role, AnyRole)
        return role
    raise SettingsError(f"There is no role {name!r}; choose from: {', '.join(role_names())}")
