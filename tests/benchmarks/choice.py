"""Which contestants of a roster take part: those that the command line names, or all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from streams.errors import ThreadsError


class Named(Protocol):
    """What a roster lists."""

    @property
    def name(self) -> str:
        """Return the name that the command line knows it by."""
        ...


One = TypeVar("One", bound=Named)


def choose(roster: Sequence[One], names: str) -> list[One]:
    """Return the contestants of these names, with commas between, in the roster's order; all where none is named.

    Raises:
        ThreadsError: a name is unknown; the text lists those there are.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    known = [one.name for one in roster]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ThreadsError(f"No contestant is named {', '.join(map(repr, unknown))}; there are: {', '.join(known)}.")
    return [one for one in roster if not wanted or one.name in wanted]
