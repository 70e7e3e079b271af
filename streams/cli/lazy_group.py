"""A command group that imports a command only when it is needed; its help is read from the source of commands."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import click
from click.shell_completion import CompletionItem
from click.utils import make_default_short_help

from streams.errors import ThreadsError

ENTRY_POINTS = "threads.commands"
FAULT_EXIT_STATUS = 2
SUMMARY_LENGTH = 90
_READ = {
    "name",
    "cls",
    "epilog",
    "invoke_without_command",
}  # arguments that leave it to the docstring


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


@dataclass(frozen=True, slots=True)
class Described:
    """A command's first sentence, and its example."""

    summary: str
    example: str


def described(source: str) -> Described | None:
    """Return what `module:attribute` is for; None where only loading it would tell."""
    module, _, attribute = source.partition(":")
    tree = _parsed(module)
    if tree is None:
        return None
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == attribute:
            return _of_function(node, tree)
        if isinstance(node, ast.ImportFrom) and not node.level and attribute in {each.name for each in node.names}:
            return described(f"{node.module}:{attribute}")
    return None


def _parsed(module: str) -> ast.Module | None:
    try:
        found = find_spec(module)
        return ast.parse(Path(str(found.origin)).read_text(encoding="utf-8")) if found and found.origin else None
    except (ImportError, OSError, SyntaxError, ValueError):
        return None


def _of_function(function: ast.FunctionDef, tree: ast.Module) -> Described | None:
    text = ast.get_docstring(function)
    made_by = next((each for each in _makers(function) if each.attr in ("command", "group")), None)
    if text is None or made_by is None or not set(made_by.keywords) <= _READ:
        return None
    example = made_by.keywords.get("epilog", "")
    if example is None:
        return None
    if not example and made_by.attr == "group":
        example = next((each for _, each in sorted(_examples_beneath(function.name, tree)) if each), "")
    return Described(make_default_short_help(text, SUMMARY_LENGTH), example)


@dataclass(frozen=True, slots=True)
class _Maker:
    """A decorator `owner.attr("name", keyword="text")`; None stands for what is no plain text."""

    owner: str
    attr: str
    name: str
    keywords: dict[str, str | None]


def _makers(function: ast.FunctionDef) -> Iterator[_Maker]:
    for node in function.decorator_list:
        call = node if isinstance(node, ast.Call) else ast.Call(node, [], [])
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
            name = (_text(call.args[0]) if call.args else None) or function.name
            keywords = {str(each.arg): _text(each.value) for each in call.keywords}
            yield _Maker(call.func.value.id, call.func.attr, name, keywords)


def _text(node: ast.expr) -> str | None:
    return str(node.value) if isinstance(node, ast.Constant) else None


def _examples_beneath(group: str, tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            for each in _makers(node):
                if each.owner == group and each.attr == "command":
                    yield each.name, each.keywords.get("epilog") or ""
