"""Burn rates: how many times faster than its objective allows a service fails, over two windows at once.

After the Google SRE Workbook, chapter 5, table 5-8: the long window says that it matters, the short one that it goes
on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

LEAST_REQUESTS = 20  # in the long window; one failure of three is no trend


@dataclass(frozen=True, slots=True)
class Burn:
    """A rate, as a multiple of what the objective allows, and the windows in which it holds."""

    rate: float
    long: str
    short: str


FAST = (Burn(14.4, "1h", "5m"), Burn(6, "6h", "30m"))
"""2 % of a month's allowance in an hour, 5 % in six hours: somebody must look now."""
SLOW = (Burn(3, "1d", "2h"), Burn(1, "3d", "6h"))
"""10 % of a month's allowance in a day, or in three: somebody must look today."""

EVALUATION_INTERVAL = "1m"  # windows of days are dear to look at

OfWindow = Callable[[str], str]


def burn_expression(burns: Sequence[Burn], objective: float, bad_share: OfWindow, requests: OfWindow) -> str:
    """Return what holds while a service burns at one of the rates.

    `objective` is the share that must be good. `bad_share` and `requests` return for a window the expression of the
    share that was bad and of how many there were; both must have the same labels.
    """
    allowed = f"{1 - objective:.6g}"
    return "\nor\n".join(
        f"(\n  {bad_share(burn.long)} > {burn.rate:g} * {allowed}\n"
        f"  and {bad_share(burn.short)} > {burn.rate:g} * {allowed}\n"
        f"  and {requests(burn.long)} >= {LEAST_REQUESTS}\n)"
        for burn in burns
    )
