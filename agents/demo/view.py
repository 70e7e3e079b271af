"""How the demo is shown: one screen that is drawn anew on a terminal, lines that are printed once elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live

from agents.demo.scoreboard import Scoreboard
from agents.demo.screen import draft_line, kpi_lines, live_view

KPI_LINES_INTERVAL_S = 5.0
REFRESHES_PER_S = 4


class View(Protocol):
    """What the session tells of; `note` and `show` may be called at any time, `lines` after the end."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def note(self, text: str) -> None:
        """Say what is being done."""

    def show(self, board: Scoreboard) -> None:
        """Show what is known now."""

    def lines(self, lines: Iterable[str]) -> None:
        """Print lines that stay."""


class ScreenView:
    """A screen on a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=REFRESHES_PER_S, transient=True)
        self._note = ""
        self._board: Scoreboard | None = None

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def note(self, text: str) -> None:
        """Show the text on top of the screen from now on."""
        self._note = text
        self._live.update(text if self._board is None else live_view(self._board, text, self._console.width))

    def show(self, board: Scoreboard) -> None:
        """Draw the screen anew."""
        self._board = board
        self._live.update(live_view(board, self._note, self._console.width))

    def lines(self, lines: Iterable[str]) -> None:
        """Print lines above the screen, or where it was."""
        for line in lines:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class LineView:
    """Lines for logs and pipes: each state of a draft once, the KPIs when they have changed."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: set[str] = set()
        self._kpis: list[str] = []
        self._kpis_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing behind."""

    def note(self, text: str) -> None:
        """Print the text, unless it was printed before."""
        self._once([text])

    def show(self, board: Scoreboard) -> None:
        """Print what is new."""
        self._once(draft_line(board, draft) for draft in board.drafts.values())
        found = kpi_lines(board)
        if found != self._kpis and time.monotonic() - self._kpis_at > KPI_LINES_INTERVAL_S:
            self.lines(line for line in found if line not in self._kpis)
            self._kpis, self._kpis_at = found, time.monotonic()

    def lines(self, lines: Iterable[str]) -> None:
        """Print lines."""
        for line in lines:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _once(self, lines: Iterable[str]) -> None:
        fresh = [line for line in lines if line not in self._told]
        self._told.update(fresh)
        self.lines(fresh)


def view_for(console: Console) -> View:
    """Return the view that fits where the output goes."""
    return ScreenView(console) if console.is_terminal else LineView(console)
