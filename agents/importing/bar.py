"""The progress bar of an import: one for all its sources, by their sizes, with the rate and the time that remains."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from rich.progress import Progress

from agents.importing.sources.opening import Origin, name_of

NAME_WIDTH = 28  # of a source's name beside the bar


class ImportBar:
    """One bar for all sources; one without a size counts as one byte."""

    def __init__(self, progress: Progress, origins: Sequence[Origin]) -> None:
        self.progress = progress
        self.sizes = [_size(origin) for origin in origins]
        self.names = list(map(name_of, origins))
        self.task = progress.add_task("", total=sum(self.sizes), rate="reading")
        self.began = time.monotonic()
        self.rows = 0

    def of(self, place: int) -> SourceBar:
        """Return what the import of one of the sources tells its rows to."""
        count = f"{place + 1}/{len(self.names)} " if len(self.names) > 1 else ""
        name = self.names[place]
        short = name if len(name) <= NAME_WIDTH else name[: NAME_WIDTH - 1] + "…"
        self.progress.update(self.task, description=count + short)
        return SourceBar(self, place)


class SourceBar:
    """The part of the bar that is of one source: what was read the first time is not in yet, and moves nothing."""

    def __init__(self, bar: ImportBar, place: int) -> None:
        self._bar = bar
        self._before, self._size = sum(bar.sizes[:place]), bar.sizes[place]
        self._rows_before = bar.rows

    def on_read(self, rows: int) -> None:
        """Tell how many rows the first reading has come to."""
        self._bar.progress.update(self._bar.task, rate=f"reading, {rows:,} rows")

    def on_rows(self, rows_in: int, rows: int) -> None:
        """Tell how many rows are in, of how many."""
        bar = self._bar
        bar.rows = self._rows_before + rows_in
        rate = f"{bar.rows / max(time.monotonic() - bar.began, 0.001):,.0f} rows/s"
        done = self._before + self._size * rows_in // max(rows, 1)
        bar.progress.update(bar.task, completed=done, rate=rate)


def _size(origin: Origin) -> int:
    return max(origin.stat().st_size, 1) if isinstance(origin, Path) and origin.exists() else 1
