"""`threads-agent completion`: what a shell asks for when Tab is pressed, and the values: names of roles, of topics."""

from __future__ import annotations

import difflib

import click
from click.shell_completion import CompletionItem, get_completion_class

from schemas.catalogue import CATALOGUE, Topic, topic_named
from streams.role_names import role_names

PROGRAM = "threads-agent"
ASKING = "_THREADS_AGENT_COMPLETE"  # the variable that click looks for, made of the program's name

SHELLS = ("bash", "fish", "zsh")


@click.command(epilog='Example: eval "$(threads-agent completion bash)"')
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that makes a shell complete commands, options, topics and roles.

    Put `eval "$(threads-agent completion bash)"` into ~/.bashrc, the same with zsh into ~/.zshrc after compinit; or
    write the script for fish to ~/.config/fish/completions/threads-agent.fish.
    """
    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(ctx.find_root().command, {}, PROGRAM, ASKING).source())


class RoleName(click.ParamType):
    """The name of a worker role; a wrong one is told when the role is loaded."""

    name = "role"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - click's signature
        """Return the roles that begin so."""
        return completed(role_names(), incomplete)


def completed(names: list[str], incomplete: str) -> list[CompletionItem]:
    """Return the names that begin so, as a shell is told them."""
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


ROLE_NAME = RoleName()


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
