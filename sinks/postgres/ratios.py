"""Ratios as reports show them: the value, and always the numerator and the denominator it is made of."""

from __future__ import annotations

from typing import Any

Ratio = dict[str, Any]


def ratio(value: float | None, numerator: float | None, denominator: float | None) -> Ratio:
    """Return the object that --json prints; the value is None where the denominator allows none."""
    return {"value": value, "numerator": numerator, "denominator": denominator}


def percent(shown: Ratio) -> str:
    """Return "4.20% (42 / 1,000)"."""
    return f"{shown_value(shown['value'], '{:.2%}')} ({shown['numerator']:,} / {shown['denominator']:,})"


def dollars_each(shown: Ratio) -> str:
    """Return "$0.0100 ($1.00 / 100)"."""
    return f"{shown_value(shown['value'], '${:,.4f}')} (${shown['numerator']:,.2f} / {shown['denominator']:,})"


def shown_value(value: float | None, form: str) -> str:
    """Return a number in a form, or "-" where there is none."""
    return "-" if value is None else form.format(value)
