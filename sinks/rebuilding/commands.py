"""The command group `rebuild`: its commands are entry points, each of the room whose state it makes again."""

from __future__ import annotations

from functools import cached_property
from importlib.metadata import entry_points

from streams.cli.lazy_group import SourcedGroup

ENTRY_POINTS = "threads.rebuilds"


class RebuildGroup(SourcedGroup):
    """Commands by the name of what they rebuild."""

    @cached_property
    def _all_sources(self) -> dict[str, str]:
        return {entry.name: entry.value for entry in entry_points(group=ENTRY_POINTS)}


rebuild = RebuildGroup(
    "rebuild",
    {},
    help="Make a state again from the beginning of the log, beside the live one, and put it in its place.",
    epilog="Example: threads-agent rebuild postgres --switch",
)
