"""The options by which commands choose dead letters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from streams.cli.completion import topic_names
from streams.cli.moment import MOMENT

if TYPE_CHECKING:
    from streams.letters.standing import Selection

Command = TypeVar("Command", bound=Callable[..., object])

_OPTIONS = (
    click.option("--topic", shell_complete=topic_names, help="Only records that came from this topic."),
    click.option("--reason", help="Only where the reason holds this text, upper or lower case."),
    click.option("--consumer", help="Only letters of this consumer (a role)."),
    click.option("--key", help="Only records with this key, such as a persona's id."),
    click.option("--since", type=MOMENT, help="Only letters set aside at or after this time."),
    click.option("--until", type=MOMENT, help="Only letters set aside before this time."),
)


def choice_options(command: Command) -> Command:
    """Give a command the filters, which come as keyword arguments."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def chosen(filters: dict[str, Any]) -> Selection:
    """Return the selection that the filters make."""
    from streams.letters.standing import Selection

    return Selection(**{**filters, "ids": tuple(filters.get("ids", ()))})


def shown_selection(filters: dict[str, Any]) -> str:
    """Return filters for the end of a sentence: " from commands.test, with reason x"; nothing where there are none."""
    words = {
        "topic": "from",
        "reason": "with reason",
        "consumer": "of",
        "key": "with key",
        "since": "since",
        "until": "until",
    }
    said = [f"{words[name]} {value}" for name, value in filters.items() if name in words and value is not None]
    return f" {', '.join(said)}" if said else ""
