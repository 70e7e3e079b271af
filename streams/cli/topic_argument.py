"""The TOPIC argument: a name of the catalogue."""

from __future__ import annotations

import difflib

import click

from schemas.catalogue import CATALOGUE, Topic, topic_named


class TopicName(click.ParamType):
    """Turn a name into its catalogue entry; a misspelt one gets the nearest as a hint."""

    name = "topic"

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
