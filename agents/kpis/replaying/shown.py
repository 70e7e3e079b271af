"""The KPIs that a replay ends with, as a table and as the detail of its run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from streams.cli.table import Cell, Column, Table, count

SHOWN_PERSONAS = 20
DETAILED_PERSONAS = 25  # five windows each; a record of a run has room for these
_COLUMNS = (
    Column("persona", "id"),
    Column("window"),
    Column("views", "number"),
    Column("engagement rate", "number"),
    Column("cost / follow", "number"),
    Column("$ a month", "number"),
    Column("viral", "number", minor=2),
    Column("posts", "number", minor=1),
    Column("late", "number", minor=1),
)
Figures = Mapping[str, Any]


def of_most_viewed(figures: Sequence[Figures], most: int) -> list[Figures]:
    """Return the rows of the personas with most views ever, in that order, each from the shortest window on."""
    ever = [each for each in figures if each["window"] == "lifetime"]
    ever.sort(key=lambda each: (-each["views"], each["persona_id"]))
    place = {each["persona_id"]: number for number, each in enumerate(ever[:most])}
    return sorted((each for each in figures if each["persona_id"] in place), key=lambda each: place[each["persona_id"]])


def kpi_table(figures: Sequence[Figures], as_of_ms: int, fingerprint: str) -> Table:
    """Return the table of what was counted as of a moment."""
    shown = of_most_viewed(figures, SHOWN_PERSONAS)
    firsts = [
        number for number, each in enumerate(shown) if number and each["persona_id"] != shown[number - 1]["persona_id"]
    ]
    personas = len({each["persona_id"] for each in figures})
    more = f"the {SHOWN_PERSONAS} of {personas:,} personas with most views; " if personas > SHOWN_PERSONAS else ""
    as_of = datetime.fromtimestamp(as_of_ms / 1000, UTC).isoformat(timespec="seconds")
    return Table(
        _COLUMNS,
        [_cells(each) for each in shown],
        title=f"KPIs of the selection as of {as_of}",
        note=f"{more}the live KPIs are untouched; state {fingerprint}",
        parts=firsts,
    )


def _cells(figures: Figures) -> list[Cell]:
    rate, cost = figures["engagement_rate"], figures["cost_per_follow_dollars"]
    month, viral = figures["revenue_projection_monthly_micros"], figures["viral_posts"]
    return [
        figures["persona_id"],
        figures["window"],
        count(figures["views"]),
        "-" if rate is None else f"{rate:.2%}",
        "-" if cost is None else f"${cost:.4f}",
        "-" if month is None else f"${month / 1_000_000:,.2f}",
        "-" if viral is None else count(viral),
        count(figures["posts"]),
        count(figures["late_events"]),
    ]


def detail(figures: Sequence[Figures], as_of_ms: int, fingerprint: str) -> dict[str, Any]:
    """Return what a run tells of its KPIs: those of the personas with most views, and how many there are."""
    return {
        "as_of": datetime.fromtimestamp(as_of_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        "state_sha256": fingerprint,
        "personas": len({each["persona_id"] for each in figures}),
        "kpis": [
            {name: each[name] for name in each if name not in {"occurred_at", "window_start", "window_end"}}
            for each in of_most_viewed(figures, DETAILED_PERSONAS)
        ],
    }
