"""A command group that imports a command only when it is needed, so that a broken one breaks no other."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import entry_points

import click
from click.shell_completion import CompletionItem

from streams.cli.source_help import SUMMARY_LENGTH, Described, described
from streams.errors import ThreadsError

ENTRY_POINTS = "threads.commands"
FAULT_EXIT_STATUS = 2


class SourcedGroup(click.Group):
    """Commands by name, each as `module:attribute`: one is imported when it is run or its own help is asked for."""

    def __init__(self, name: str, sources: Mapping[str, str], help: str, epilog: str = "") -> None:  # noqa: A002 - click's
        super().__init__(name, help=help, epilog=epilog)
        self._sources = sources

    @cached_property
    def _all_sources(self) -> dict[str, str]:
        return dict(self._sources)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return all names, sorted."""
        return sorted(self._all_sources)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import a command; one that can't be imported is replaced by one that says why."""
        source = self._all_sources.get(cmd_name)
        if source is None:
            return None
        module, _, attribute = source.partition(":")
        try:
            command = getattr(importlib.import_module(module), attribute)
        except Exception as error:  # noqa: BLE001 - a plugin may fail in any way, and must break no other
            return _broken(cmd_name, source, error)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List each command with its summary and its example (its epilog)."""
        names = self.list_commands(ctx)
        width = max(map(len, names), default=0)
        with formatter.section("Commands"):
            for name in names:
                told = self._described(ctx, name)
                formatter.write_dl([(name.ljust(width), told.summary)])
                if told.example:
                    formatter.write(f"{'':{formatter.current_indent + width + 2}}{told.example}\n")

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the names that begin so, each with its summary, and options."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        items = [CompletionItem(name, help=self._described(ctx, name).summary) for name in names]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]

    def _described(self, ctx: click.Context, name: str) -> Described:
        told = described(self._all_sources[name])
        if told is None:
            command = self.get_command(ctx, name)
            assert command is not None
            told = Described(command.get_short_help_str(SUMMARY_LENGTH), _example(ctx, command))
        return told


class LazyGroup(SourcedGroup):
    """The program: commands of our own, and installed entry points. A fault is one line, status 2."""

    @cached_property
    def _all_sources(self) -> dict[str, str]:
        return {**{entry.name: entry.value for entry in entry_points(group=ENTRY_POINTS)}, **self._sources}

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; a fault of ours becomes one line on stderr, with the traceback when debugging."""
        try:
            return super().invoke(ctx)
        except ThreadsError as error:
            if _is_debugging():
                raise
            click.echo(f"{self.name}: {error}", err=True)
            ctx.exit(FAULT_EXIT_STATUS)


def _example(ctx: click.Context, command: click.Command) -> str:
    """Return a command's epilog; a group without one answers with its first command's."""
    if command.epilog or not isinstance(command, click.Group):
        return command.epilog or ""
    inner = [command.get_command(ctx, name) for name in command.list_commands(ctx)]
    return next((each.epilog for each in inner if each is not None and each.epilog), "")


def _is_debugging() -> bool:
    from streams.settings import current_settings

    try:
        return current_settings().log_level == "debug"
    except ThreadsError:
        return False


def _broken(name: str, source: str, error: Exception) -> click.Command:
    reason = f"{source} can't be loaded: {type(error).__name__}: {error}"

    def fail(arguments: tuple[str, ...]) -> None:  # noqa: ARG001 - swallowed, so that the reason is shown
        raise ThreadsError(f"The command {name!r} is broken: {reason}") from error

    return click.Command(
        name,
        callback=fail,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        short_help=f"(broken: {reason})",
        context_settings={"ignore_unknown_options": True},
    )
