"""Erasers: whoever keeps something of somebody says how it is found and deleted, by an entry point (`threads.erasers`).

`name = "module:function"`, an `Eraser`. One that is called again after it was broken off deletes what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Protocol

from streams.settings import Settings

ENTRY_POINTS = "threads.erasers"


@dataclass(frozen=True, slots=True)
class Holding:
    """What a place holds of somebody: `count` of `what`; `later` says what deletes it, where that is not done now."""

    place: str
    what: str
    count: int
    later: str = ""


class Eraser(Protocol):
    """Deletes what a place holds under a key and returns what it was; a dry run deletes nothing.

    Raises:
        Unavailable: the place is away; call again.
    """

    async def __call__(self, settings: Settings, key: str, *, dry_run: bool) -> Sequence[Holding]: ...


def erasers() -> dict[str, Eraser]:
    """Return the erasers that are installed, by name."""
    return {each.name: each.load() for each in sorted(entry_points(group=ENTRY_POINTS), key=lambda each: each.name)}
