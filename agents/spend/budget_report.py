"""The budget report: what each persona and all of them have spent of their limits, now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agents.costs.budget import (
    EVERYONE,
    WHOLE,
    BudgetLevel,
    BudgetLimits,
    BudgetPolicy,
    BudgetUse,
    dollars,
    worst_level,
)
from agents.spend.budgets import budget_uses
from agents.spend.spend_book import SpendBook, day_of
from schemas.records import BudgetAlert
from streams.cli.table import Cell, Column, Shown, Table, short_number
from streams.json_records import render_record


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """A persona, or EVERYONE: what it has spent in the hour and the day of now, and its level by its own limits."""

    persona_id: str
    hour: BudgetUse
    day: BudgetUse
    unpriced_calls: int
    level: BudgetLevel


def budget_lines(
    book: SpendBook, limits: Mapping[str, BudgetLimits], policy: BudgetPolicy, now: datetime
) -> list[BudgetLine]:
    """Return a line for everyone and then for each persona that has spent or is in `limits`, by id."""
    personas = sorted({*book.personas(), *limits} - {EVERYONE})
    return [_line(book, each, limits.get(each, BudgetLimits()), policy, now) for each in (EVERYONE, *personas)]


def _line(book: SpendBook, persona_id: str, limits: BudgetLimits, policy: BudgetPolicy, now: datetime) -> BudgetLine:
    hour, day = budget_uses(book, persona_id, limits, now)
    unpriced = book.unpriced_calls(persona_id, day_of(now))
    return BudgetLine(persona_id, hour, day, unpriced, worst_level((hour, day), policy))


def budgets_object(lines: Sequence[BudgetLine], alerts: Sequence[BudgetAlert]) -> dict[str, Any]:
    """Return the object that `budgets --json` prints."""
    total, *personas = map(_line_object, lines)
    del total["persona_id"]
    return {"total": total, "personas": personas, "alerts_today": [render_record(alert) for alert in alerts]}


def _line_object(line: BudgetLine) -> dict[str, Any]:
    return {
        "persona_id": line.persona_id,
        **{use.period.kind: _use_object(use) for use in (line.hour, line.day)},
        "unpriced_calls_today": line.unpriced_calls,
        "level": line.level.kind,
        "until": line.level.until.isoformat() if line.level.until else None,
        "reason": line.level.reason,
    }


def _use_object(use: BudgetUse) -> dict[str, Any]:
    return {
        "start": use.period.start.isoformat(),
        "spent_micros": use.spent_micros,
        "limit_micros": use.limit_micros,
        "spent_share": use.spent_micros / use.limit_micros if use.limit_micros else None,
    }


_COLUMNS = (
    Column("persona", "id"),
    Column("this hour", "number"),
    Column("of its limit", "number"),
    Column("today", "number"),
    Column("of its limit", "number"),
    Column("unknown price", "number", minor=1),
    Column("level", "text"),
)


def budgets_table(lines: Sequence[BudgetLine]) -> Table:
    """Return the table that `budgets` prints; its first row is everyone."""
    hour, day = lines[0].hour.period, lines[0].day.period
    rows = [_cells(line) for line in lines]
    return Table(_COLUMNS, rows, title=f"Spending of {day}, and of {hour}", parts={1})


def _cells(line: BudgetLine) -> Sequence[Cell]:
    return (
        "all personas" if line.persona_id == EVERYONE else line.persona_id,
        _spent(line.hour.spent_micros),
        _share(line.hour),
        _spent(line.day.spent_micros),
        _share(line.day),
        f"{line.unpriced_calls:,} calls",
        _level(line.level),
    )


def _spent(micros: int) -> Shown:
    full = dollars(micros)
    return Shown(full, full if len(full) <= len("$1,234.56") else f"${short_number(round(micros / 1_000_000, 2))}")


def _share(use: BudgetUse) -> str:
    if use.limit_micros is None:
        return "no limit"
    percent = f"{use.spent_micros * WHOLE // use.limit_micros / 10_000:.1f} % of " if use.limit_micros else ""
    return f"{percent}{dollars(use.limit_micros)}"


def _level(level: BudgetLevel) -> str:
    return level.kind if level.until is None else f"{level.kind} until {level.until:%Y-%m-%d %H:%M} UTC"


def alert_line(alert: BudgetAlert) -> str:
    """Return the line that `budgets` prints for an alert."""
    who = "all personas" if alert.persona_id == EVERYONE else alert.persona_id
    measure = "a mean of" if alert.kind == "spike" else "a limit of"
    of = "" if alert.limit_micros is None else f", {measure} {dollars(alert.limit_micros)}"
    start = f"{alert.period_start:%H:%M}" if alert.period == "hour" else f"{alert.period_start:%Y-%m-%d}"
    return (
        f"{alert.occurred_at:%H:%M:%S} UTC  {alert.kind:<9}  {who}: {dollars(alert.spent_micros)} in the "
        f"{alert.period} from {start}{of}"
    )
