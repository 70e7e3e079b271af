"""Ratios as reports show them: the value, and always the numerator and the denominator it is made of."""

from __future__ import annotations

from typing import Any

from streams.cli.table import Shown, short_number

Ratio = dict[str, Any]

_WITHOUT_CENTS = 10_000


def ratio(value: float | None, numerator: float | None, denominator: float | None) -> Ratio:
    """Return the object that --json prints; the value is None where the denominator allows none."""
    return {"value": value, "numerator": numerator, "denominator": denominator}


def percent(shown: Ratio) -> Shown:
    """Return "4.20% (42 / 1,000)", shortened "4.20%"."""
    value = shown_value(shown["value"], "{:.2%}")
    return Shown(f"{value} ({shown['numerator']:,} / {shown['denominator']:,})", value)


def dollars_each(shown: Ratio) -> Shown:
    """Return "$0.0100 ($1.00 / 100)", shortened "$0.0100"."""
    value = shown_value(shown["value"], "${:,.4f}")
    return Shown(f"{value} (${shown['numerator']:,.2f} / {shown['denominator']:,})", value)


def dollars(amount: float, form: str = "{:,.2f}") -> Shown:
    """Return "$1,234,567.89", shortened "$1.23M"; cents are shown as long as they say something."""
    sign = "-" if amount < 0 else ""
    short = short_number(abs(amount)) if abs(amount) >= _WITHOUT_CENTS else f"{abs(amount):,.4f}"
    return Shown(f"{sign}${form.format(abs(amount))}", f"{sign}${short}")


def shown_value(value: float | None, form: str) -> str:
    """Return a number in a form, or "-" where there is none."""
    return "-" if value is None else form.format(value)
