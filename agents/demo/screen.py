"""What the demo shows: tables on a screen that is drawn anew, lines that are printed once elsewhere, the summary."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from agents.demo.scoreboard import ENDS, Scoreboard
from schemas.records import DraftGenerated, KpiUpdate
from streams.cli.table import Cell, Column, Shown, Table, count, table_lines
from streams.endpoints import Endpoints

WINDOWS_SHOWN = ("24h", "lifetime")
DRAFTS_SHOWN = 12
PERSONAS_SHOWN = 8
TEXT_SHOWN = 90
MICROS = 1_000_000
_DRAFT_COLUMNS = (
    Column("persona", "id"),
    Column("score", "number"),
    Column("decision", "text"),
    Column("draft", "text"),
)
_KPI_COLUMNS = (
    Column("persona", "id"),
    Column("window"),
    Column("engagement rate", "number"),
    Column("cost / follow", "number"),
    Column("views", "number"),
    Column("clicks", "number", minor=1),
    Column("posts", "number"),
    Column("viral", "number", minor=1),
)
COMMANDS = (
    ("threads-agent open", "the live page, in the browser"),
    ("threads-agent kpis", "the KPIs with numerators and denominators"),
    ("threads-agent drafts", "every draft with its score and decision"),
    ("threads-agent costs", "tokens and money by persona and model"),
    ("threads-agent consume kpi.updates --from beginning", "any topic as JSON lines"),
    ("threads-agent alerts list", "what is pending or fires, as Prometheus sees it"),
    ("threads-agent status", "what runs, and where"),
)
KPI_LINES_INTERVAL_S = 5.0
REFRESHES_PER_S = 4


def live_view(board: Scoreboard, note: str, columns: int) -> RenderableType:
    """Return the whole screen, of so many columns: `note` says what the demo does at the moment."""
    tables = (table_lines(table, columns) for table in (drafts_table(board), kpi_table(board)))
    lines = [line for table in tables for line in (*table, "")]
    return Group(Text(note, style="bold"), *map(Text, lines), Text(spending_line(board)))


def drafts_table(board: Scoreboard) -> Table:
    """Return the newest drafts with score and decision."""
    drafts = list(board.drafts.values())[-DRAFTS_SHOWN:]
    return Table(_DRAFT_COLUMNS, [_draft_cells(board, draft) for draft in drafts], title="Drafts")


def _draft_cells(board: Scoreboard, draft: DraftGenerated) -> Sequence[Cell]:
    score = board.scores.get(draft.draft_id)
    return (draft.persona_id, "" if score is None else f"{score:.2f}", _decision(board, draft), _short(draft))


def kpi_table(board: Scoreboard) -> Table:
    """Return the KPIs of each persona, each ratio with its numerator and denominator where there is room."""
    return Table(_KPI_COLUMNS, [_kpi_cells(update) for update in shown_kpis(board)], title="KPIs")


def _kpi_cells(update: KpiUpdate) -> Sequence[Cell]:
    return (
        update.persona_id,
        update.window,
        Shown(engagement_text(update), engagement_text(update).split(" ")[0]),
        Shown(cost_text(update), cost_text(update).split(" ")[0]),
        count(update.views),
        count(update.clicks),
        count(update.posts),
        "" if update.viral_posts is None else count(update.viral_posts),
    )


def shown_kpis(board: Scoreboard) -> list[KpiUpdate]:
    """Return the updates that are shown: those of the personas with the most views."""
    views = {persona_id: update.views for (persona_id, window), update in board.kpis.items() if window == "lifetime"}
    personas = sorted(views, key=lambda persona_id: (-views[persona_id], persona_id))[:PERSONAS_SHOWN]
    keys = [(persona_id, window) for persona_id in personas for window in WINDOWS_SHOWN]
    found = [board.kpis[key] for key in keys if key in board.kpis]
    return [update for update in found if update.views or update.posts or update.follows or update.cost_micros]


def engagement_text(update: KpiUpdate) -> str:
    """Return the engagement rate with its parts."""
    rate = "-" if update.engagement_rate is None else f"{update.engagement_rate:.2%}"
    return f"{rate} ({update.engagements:,} / {update.views:,})"


def cost_text(update: KpiUpdate) -> str:
    """Return the cost per follow with its parts."""
    cost = "-" if update.cost_per_follow_dollars is None else f"${update.cost_per_follow_dollars:.4f}"
    return f"{cost} (${update.cost_micros / MICROS:.4f} / {update.follows:,})"


def spending_line(board: Scoreboard) -> str:
    """Return tokens and cost of the demo's requests."""
    prompt, completion = board.tokens()
    micros, unpriced = board.cost_micros()
    known = f"${micros / MICROS:.4f}" + (f" and {unpriced} calls of unknown price" if unpriced else "")
    return f"Model calls: {len(board.costs):,}, tokens: {prompt:,} in, {completion:,} out, cost: {known}"


def draft_line(board: Scoreboard, draft: DraftGenerated) -> str:
    """Return what is known of a draft in one line."""
    score = board.scores.get(draft.draft_id)
    scored = "" if score is None else f", score {score:.2f}"
    return f"{_decision(board, draft)}{scored}: {draft.persona_id}: {_short(draft)}"


def summary(board: Scoreboard, endpoints: Endpoints, imported: str) -> list[str]:
    """Return the summary: requests, decisions with their reasons, spending, KPIs, where to look next."""
    accepted, rejected = len(board.accepted()), len(board.decisions) - len(board.accepted())
    undecided = len(board.undecided())
    lines = [
        "",
        "Summary",
        f"  Imported: {imported}",
        f"  Requests: {len(board.requests)}, of which refused: {len(board.refused)}, undecided: {undecided}",
        f"  Drafts: {accepted} accepted, {rejected} rejected",
    ]
    lines += [f"    {times} x {reason}" for reason, times in board.rejections().most_common()]
    lines += posts_lines(board)
    lines.append(f"  {spending_line(board)}")
    lines.append("  KPIs:")
    lines += [f"    {line}" for line in kpi_lines(board)]
    lines.append("  Where to look next:")
    lines += [f"    {name}: {address}" for name, address in _addresses(endpoints)]
    lines += [f"    {command:<52} {what}" for command, what in COMMANDS]
    return lines


def posts_lines(board: Scoreboard) -> list[str]:
    """Return what became of the accepted drafts, and what their posts brought back."""
    where = " at the simulator (simulated)" if any(each.simulated for each in board.posts().values()) else ""
    lines = [f"  Posts: {len(board.posts())} published{where}, {len(board.unpublished())} on the way"]
    lines += [
        f"    {each.state}: {each.reason}"
        for each in board.publications().values()
        if each.state in ENDS and each.state != "published"
    ]
    views, *interactions = board.brought_back().items()
    found = ", ".join(f"{number:,} {metric}" for metric, number in interactions)
    marked = " (simulated)" if where else ""
    lines.append(f"  Engagement brought back: {views[1]:,} views; {found}{marked}")
    return lines


def kpi_lines(board: Scoreboard) -> list[str]:
    """Return the KPIs of each persona, a line each."""
    return [
        f"{update.persona_id} {update.window}: engagement {engagement_text(update)}, "
        f"cost per follow {cost_text(update)}, {update.clicks:,} clicks, {update.posts:,} posts"
        for update in shown_kpis(board)
    ]


def _addresses(endpoints: Endpoints) -> Sequence[tuple[str, str]]:
    """Return the addresses without secrets: the DSN is left to `threads-agent status`."""
    found = {
        "Live page": endpoints.gateway,
        "Kafka": endpoints.kafka,
        "Metrics": endpoints.metrics,
        "Prometheus": endpoints.prometheus,
        "Schemas": endpoints.schemas,
    }
    return [(name, address) for name, address in found.items() if address]


def _short(draft: DraftGenerated) -> str:
    text = " ".join(draft.text.split())
    return text if len(text) <= TEXT_SHOWN else text[: TEXT_SHOWN - 3] + "..."


def _decision(board: Scoreboard, draft: DraftGenerated) -> str:
    decided = board.decisions.get(draft.draft_id)
    if decided is None:
        return "written" if draft.draft_id not in board.scores else "scored"
    if decided.reasons:
        return f"{decided.decision}: {'; '.join(decided.reasons)}"
    posted = board.states.get(draft.draft_id)
    return decided.decision if posted is None else f"{decided.decision}, {posted.state}"


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
