"""Settings, homes, servers and files that are not usable, as a user of the command line meets them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.embedded.ports import free_port

DEADLINE_S = 60.0  # a command that hangs is told from one that starts slowly on a busy machine
PASSWORD = "correct-horse"


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def run(home: Path, *arguments: str, prefix: tuple[str, ...] = (), **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, sys.executable, "-m", "streams.cli.main", *arguments],
        env={**os.environ, "THREADS_HOME": str(home), **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def only_line(ended: subprocess.CompletedProcess[str]) -> str:
    """Return the one line that a failed command says."""
    assert ended.returncode == 2, ended.stdout + ended.stderr
    (line,) = ended.stderr.splitlines()
    assert line.startswith("threads-agent: ")
    return line


@pytest.mark.parametrize("command", ["worker kpis sink-prometheus", "personas apply"])  # others: test_kafka_commands
def test_a_kafka_that_is_away_ends_the_command_with_one_line(tmp_path: Path, command: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    line = only_line(run(tmp_path, *command.split(), THREADS_KAFKA=address))
    assert f"Kafka at {address} does not answer" in line
    assert "nothing accepts connections there" in line
    assert "THREADS_KAFKA" in line


@pytest.mark.parametrize("command", ["worker kpis", "consume kpi.updates"])
def test_a_kafka_that_says_nothing_is_given_up(tmp_path: Path, silent_port: int, command: str) -> None:
    line = only_line(run(tmp_path, *command.split(), THREADS_KAFKA=f"127.0.0.1:{silent_port}"))
    assert f"Kafka at 127.0.0.1:{silent_port} does not answer: no answer within" in line
    assert "THREADS_KAFKA=host:port" in line


@pytest.mark.parametrize("command", ["worker kpis", "produce engagement.events -"])
def test_where_no_kafka_is_configured_the_command_says_how_to_get_one(tmp_path: Path, command: str) -> None:
    line = only_line(run(tmp_path, *command.split()))
    assert "Kafka is not configured: start the embedded stack with `threads-agent up`" in line


def test_a_postgres_that_is_away_ends_the_command_with_one_line(tmp_path: Path) -> None:
    port = free_port()
    dsn = f"postgresql://threads:{PASSWORD}@127.0.0.1:{port}/threads"
    line = only_line(run(tmp_path, "kpis", "--json", THREADS_POSTGRES_DSN=dsn))
    assert "PostgreSQL does not answer" in line
    assert str(port) in line
    assert "THREADS_POSTGRES_DSN" in line
    assert PASSWORD not in line


def test_a_postgres_that_says_nothing_is_given_up(tmp_path: Path, silent_port: int) -> None:
    dsn = f"postgresql://threads:{PASSWORD}@127.0.0.1:{silent_port}/threads"
    assert "PostgreSQL does not answer" in only_line(run(tmp_path, "kpis", THREADS_POSTGRES_DSN=dsn))


def test_where_no_postgres_is_configured_the_command_says_how_to_get_one(tmp_path: Path) -> None:
    line = only_line(run(tmp_path, "kpis"))
    assert "PostgreSQL is not configured: start the embedded stack with `threads-agent up`" in line


def test_what_is_no_dsn_is_told_without_showing_it(tmp_path: Path) -> None:
    line = only_line(run(tmp_path, "kpis", THREADS_POSTGRES_DSN=f"{PASSWORD}@127.0.0.1"))
    assert "THREADS_POSTGRES_DSN is not a DSN: expected postgresql://user:password@host:port/database" in line
    assert PASSWORD not in line


@pytest.mark.parametrize("command", ["worker kpis", "kpis"])
def test_every_wrong_setting_is_listed_in_one_message(tmp_path: Path, command: str) -> None:
    wrong = {"THREADS_KAFKAA": "x", "THREADS_PARTITIONS": "many", "THREADS_MAX_RECORD_BYTES": "-5"}
    ended = run(tmp_path, *command.split(), prefix=(), **wrong)
    assert ended.returncode == 2
    first, *lines = ended.stderr.splitlines()
    assert first == "threads-agent: Settings are not usable; correct these environment variables:"
    assert [line.split()[0].rstrip(":") for line in lines] == list(wrong)
    assert "did you mean THREADS_KAFKA?" in lines[0]
    assert "valid integer" in lines[1]
    assert "greater than or equal to 1024, got '-5'" in lines[2]


@pytest.mark.parametrize("command", ["up --detach", "consume kpi.updates", "worker kpis"])
def test_a_home_below_a_file_is_told(tmp_path: Path, command: str) -> None:
    (tmp_path / "file").write_text("no folder")
    line = only_line(run(tmp_path / "file" / "home", *command.split()))
    assert str(tmp_path / "file" / "home") in line
    assert "Not a directory" in line
    assert "set THREADS_HOME to a folder you can write" in line


@pytest.mark.parametrize("command", ["worker kpis"])
def test_a_home_that_may_not_be_written_is_told(tmp_path: Path, command: str) -> None:
    unshare = shutil.which("unshare")
    prefix = (unshare or "", "--user", "--map-user=1000", "--map-group=1000") if os.geteuid() == 0 else ()
    if prefix and (not unshare or subprocess.run([*prefix, "true"], check=False, timeout=10).returncode):
        pytest.skip("run as root on a system without user namespaces: root may write everywhere")
    tmp_path.chmod(0o555)
    for home in (tmp_path, tmp_path / "new home"):
        line = only_line(run(home, *command.split(), prefix=prefix, THREADS_KAFKA="127.0.0.1:1"))
        assert line.startswith(f"threads-agent: The home {home} ")
        assert "set THREADS_HOME to a folder you can write" in line


def test_a_csv_without_the_mapped_columns_lists_them_and_those_it_has(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text("post,when,view\np,2026-01-01,3\n", encoding="utf-8")
    mapping = ["--map", "occurred_at=at", "--map", "views=views", "--persona", "ada"]
    ended = run(tmp_path, "import", "engagement", str(path), *mapping)
    assert ended.returncode == 2
    assert ended.stderr.splitlines() == [
        "threads-agent: export.csv: columns are missing:",
        "  occurred_at: no column 'at'",
        "  views: no column 'views'; did you mean 'view'?",
        "The file has: 'post', 'when', 'view'",
        "Name the right ones with --map FIELD=COLUMN.",
    ]
