"""The TOPIC argument: a name of the catalogue."""

from __future__ import annotations

import difflib

import click
from click.shell_completion import CompletionItem

from schemas.catalogue import CATALOGUE, Topic, topic_named
from streams.cli.completion import completed


def topic_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001 - click's signature
    """Return the topics that begin so, as a shell is told them."""
    return completed([topic.name for topic in CATALOGUE], incomplete)


class TopicName(click.ParamType):
    """Turn a name into its catalogue entry; a misspelt one gets the nearest as a hint."""

    name = "topic"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the topics that begin so."""
        return topic_names(ctx, param, incomplete)

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Topic:
        """Return the entry, or end the command with a usage error."""
        if isinstance(value, Topic):
            return value
        names = [topic.name for topic in CATALOGUE]
        if value in names:
            return topic_named(str(value))
        near = difflib.get_close_matches(str(value), names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names)}"
        raise click.BadParameter(f"no topic is named {value!r}; {hint}", ctx, param)


TOPIC = TopicName()
