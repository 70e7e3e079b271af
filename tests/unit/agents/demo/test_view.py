from __future__ import annotations

import io
from datetime import UTC, datetime

from rich.console import Console

from agents.demo.scoreboard import Scoreboard
from agents.demo.screen import LineView, ScreenView, view_for
from schemas.codec.rows import RowCodec
from schemas.records import KpiUpdate
from schemas.registries.registry import open_registry

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def board() -> Scoreboard:
    found = Scoreboard({"r1"}, RowCodec(open_registry(None)))
    found.fold(
        KpiUpdate(
            event_id="k",
            occurred_at=NOW,
            persona_id="ada",
            window="lifetime",
            window_end=NOW,
            views=2_000,
            likes=30,
            engagements=30,
            engagement_rate=0.015,
        )
    )
    return found


def test_lines_are_printed_once_although_they_are_shown_again_and_again() -> None:
    out = io.StringIO()
    with LineView(Console(file=out, width=200)) as view:
        for _ in range(3):
            view.note("waiting")
            view.show(board())
    assert out.getvalue().count("waiting") == 1
    assert out.getvalue().count("ada lifetime: engagement 1.50% (30 / 2,000)") == 1


def test_a_note_does_not_wipe_the_screen() -> None:
    out = io.StringIO()
    console = Console(file=out, width=160, height=40, force_terminal=True)
    with ScreenView(console) as view:
        view.show(board())
        view.note("almost there")
    last_frame = out.getvalue().rsplit("almost there", 1)[1]
    assert "1.50% (30 / 2,000)" in last_frame


def test_a_pipe_gets_lines_and_a_terminal_the_screen() -> None:
    assert isinstance(view_for(Console(file=io.StringIO())), LineView)
    assert isinstance(view_for(Console(file=io.StringIO(), force_terminal=True)), ScreenView)
