"""The options by which a command chooses a part of the log, the same for every command that reads it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from schemas.catalogue import CATALOGUE, topic_named
from streams.cli.moment import EPOCH_MS

if TYPE_CHECKING:
    from streams.replaying.selection import Selection

PERSONA_FIELD = "persona_id"
TOPICS = click.Choice([topic.name for topic in CATALOGUE if not topic.internal])
Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS: Sequence[Callable[[Any], Any]] = (
    click.argument("topics", type=TOPICS, nargs=-1, metavar="TOPIC..."),
    click.option("--partition", "partitions", type=click.IntRange(min=0), multiple=True, help="Only this; several."),
    click.option("--since", type=EPOCH_MS, help="Only records the broker took at or after this time."),
    click.option("--until", type=EPOCH_MS, help="Only records the broker took before this time."),
    click.option("--from-offset", type=click.IntRange(min=0), help="First offset, of one topic and partition."),
    click.option("--to-offset", type=click.IntRange(min=0), help="Offset behind the last one."),
    click.option("--key", "keys", multiple=True, help="Only records with this key; may be given several times."),
    click.option("--persona", "personas", multiple=True, help="The same, for topics whose key is the persona's id."),
    click.option(
        "--last", type=click.IntRange(min=1), help="Only the last so many of all that, by the broker's times."
    ),
)


def selection_options(command: Command) -> Command:
    """Give a command the argument TOPIC... and the options of a selection."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def selected(chosen: Mapping[str, Any]) -> Selection:
    """Return the selection that the options of `selection_options` make.

    Raises:
        UsageError: a topic's key is not what is asked for.
        BadSelection: the options contradict each other.
    """
    from streams.replaying.selection import Selection

    for name in chosen["topics"]:
        key = topic_named(name).key
        if chosen["personas"] and key != PERSONA_FIELD:
            said = "has no key" if key is None else f"has {key} as its key"
            raise click.UsageError(f"--persona is of topics whose key is {PERSONA_FIELD}; {name} {said}")
        if chosen["keys"] and key is None:
            raise click.UsageError(f"--key is of topics with a key; {name} has none")
    return Selection(
        topics=tuple(chosen["topics"]),
        partitions=tuple(chosen["partitions"]),
        since_ms=chosen["since"],
        until_ms=chosen["until"],
        from_offset=chosen["from_offset"],
        to_offset=chosen["to_offset"],
        keys=(*chosen["keys"], *chosen["personas"]),
        last=chosen["last"],
    )
