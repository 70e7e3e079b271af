"""Options that take several numbers, with commas between: callbacks for click."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

Number = TypeVar("Number", int, float)


def whole_numbers(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, ...]:
    """Return the positive whole numbers of a text; an empty one has none."""
    del ctx
    return _numbers(int, param, value)


def numbers(ctx: click.Context, param: click.Parameter, value: str) -> tuple[float, ...]:
    """Return the positive numbers of a text; an empty one has none."""
    del ctx
    return _numbers(float, param, value)


def _numbers(parse: Callable[[str], Number], param: click.Parameter, value: str) -> tuple[Number, ...]:
    try:
        found = tuple(parse(part.replace("_", "")) for part in value.split(",") if part.strip())
    except ValueError:
        raise click.BadParameter(f"expected numbers with commas between, got {value!r}", param=param) from None
    if not all(number > 0 for number in found):
        raise click.BadParameter(f"expected numbers greater than 0, got {value!r}", param=param)
    return found
