"""Help and completion answer at once: they load no client, no engine and no frames."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from schemas.catalogue import CATALOGUE
from streams.cli.completion import SHELLS
from streams.cli.lazy_group import SourcedGroup, described
from streams.cli.main import main
from streams.role import role_names

HEAVY = {
    "polars", "numpy", "faust", "mode", "aiokafka", "openai", "httpx", "aiohttp", "langgraph", "langchain_core",
    "fastavro", "avro", "psycopg", "qdrant_client", "qdrant_edge", "rocksdict", "prometheus_client", "wordllama",
    "xllamacpp", "pydantic", "pydantic_settings", "yaml", "psutil", "rich.console",
}  # fmt: skip
LISTED = main.list_commands(click.Context(main))
GROUPS = [
    "topics",
    "schemas",
    "dead-letters",
    "groups",
    "personas",
    "deduplication",
    "import",
    "kpis",
    "drafts",
    "bench",
]
RUN = """
import json, sys
from streams.cli.main import main
try:
    main(sys.argv[1:], prog_name="threads-agent")
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def run(*arguments: str, **variables: str) -> tuple[str, set[str]]:
    """Return what the program prints, and the heavy modules that it has loaded by then."""
    command = [sys.executable, "-c", RUN, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=variables, check=False)
    return done.stdout, set(json.loads(done.stderr.splitlines()[-1])) & HEAVY


@pytest.mark.parametrize("arguments", [(), *((name,) for name in LISTED)], ids=" ".join)
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    shown, heavy = run(*arguments, "--help")
    assert shown.startswith("Usage: threads-agent")
    assert not heavy


def test_work_loads_what_it_needs_and_no_more() -> None:
    shown, heavy = run("status")
    assert shown.startswith("nothing runs in")
    assert "pydantic" in heavy
    assert not heavy & {"polars", "numpy", "faust", "aiokafka", "openai", "langgraph", "fastavro"}


@pytest.mark.parametrize("name", LISTED)
def test_the_list_says_of_a_command_what_the_command_says_of_itself(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    shown = " ".join(CliRunner().invoke(main, ["--help"]).output.split())
    assert " ".join(command.get_short_help_str(90).split()) in shown
    assert f"Example: {(command.epilog or '').removeprefix('Example: ')}" in shown


def test_what_the_source_does_not_tell_is_asked_of_the_command() -> None:
    assert described("streams.cli.status:no_such_name") is None
    assert described("tests.benchmarks.commands:bench") is None  # made by a call, not by a decorator


def test_a_command_that_a_module_imports_is_described_where_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "module_that_imports.py").write_text("from streams.cli.status import status\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert described("module_that_imports:status") == described("streams.cli.status:status") is not None


def test_a_command_that_cannot_be_loaded_is_told_and_breaks_no_list() -> None:
    group = SourcedGroup("group", {"absent": "streams.no_such_module:x", "known": "streams.cli.status:status"}, help="")
    shown = CliRunner().invoke(group, ["--help"]).output
    assert "broken: streams.no_such_module:x" in shown
    assert "Show servers and workers" in shown


def completions(*words: str) -> list[str]:
    """Return what may stand for the last word."""
    *before, incomplete = words
    asked = ShellComplete(main, {}, "threads-agent", "_THREADS_AGENT_COMPLETE")
    return [item.value for item in asked.get_completions(before, incomplete)]


@pytest.mark.parametrize("name", GROUPS)
def test_the_commands_of_every_group_are_completed(name: str) -> None:
    group = main.get_command(click.Context(main), name)
    assert isinstance(group, click.Group)
    assert completions(name, "") == group.list_commands(click.Context(group)) != []
    assert "--help" in completions(name, "--")
    assert name in completions("")


def test_topics_roles_windows_and_options_are_completed() -> None:
    topics = [topic.name for topic in CATALOGUE]
    for command in (("consume",), ("produce",), ("dead-letters", "list", "--topic"), ("schemas", "show")):
        assert completions(*command, "") == topics
    assert completions("consume", "drafts.a") == ["drafts.accepted"]
    for command in (("worker",), ("worker", "kpis"), ("up", "--role")):
        assert completions(*command, "") == role_names()
    assert completions("kpis", "--window", "") == ["1h", "24h", "7d", "30d", "lifetime"]
    assert {"--persona", "--window", "--wide", "--json"} <= set(completions("kpis", "--"))
    assert completions("completion", "") == list(SHELLS)


@pytest.mark.parametrize("words", ["threads-agent ", "threads-agent kpis --window ", "threads-agent worker s"])
def test_completion_loads_nothing_heavy(words: str) -> None:
    place = str(len(words.split(" ")) - 1)
    told, heavy = run(_THREADS_AGENT_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=place)
    assert len(told.splitlines()) > 2
    assert not heavy


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_each_shell_is_one_that_it_reads(shell: str) -> None:
    script = CliRunner().invoke(main, ["completion", shell], catch_exceptions=False).stdout
    assert "_THREADS_AGENT_COMPLETE" in script
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not on PATH")
    subprocess.run([program, "-n"], input=script, text=True, check=True, timeout=30)
