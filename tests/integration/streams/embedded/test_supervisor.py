"""The supervisor as an operator meets it: through the command line, in a home of its own.

Kafka is the session's, to save its start; test_embedded_stack.py starts everything.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from streams.endpoints import read_endpoints
from tests.conftest import Stack
from tests.support.operator_home import COMMAND_TIMEOUT_S, Home, eventually


@pytest.fixture
def home(stack: Stack) -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="threads home ", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        home = Home(Path(folder), THREADS_KAFKA=stack.bootstrap)
        yield home
        home.run("down")


def test_up_starts_what_is_not_configured_and_down_stops_it(home: Home, stack: Stack) -> None:
    home.up()
    status = home.status()
    endpoints = read_endpoints(home.folder)
    assert set(status) >= {"postgres", "schemas", "llm"}
    assert "kafka" not in status
    assert {entry["state"] for entry in status.values()} == {"running"}
    assert endpoints.kafka == stack.bootstrap
    assert endpoints.qdrant == (home.folder / "qdrant").as_uri()
    children = home.supervisor().children(recursive=True)

    done = home.run("down")

    assert done.returncode == 0
    assert not any(child.is_running() for child in children)
    assert read_endpoints(home.folder).postgres is None
    assert home.run("status").returncode == 1


def test_a_second_up_attaches_to_the_running_stack(home: Home) -> None:
    home.up()
    before = home.status()
    background, foreground = home.run("up", "--detach"), home.run("up")
    assert (background.returncode, foreground.returncode) == (0, 0)
    assert "already running" in background.stdout
    assert "already running" in foreground.stdout
    assert home.status() == before


def test_two_ups_at_once_give_one_stack(home: Home) -> None:
    command = [sys.executable, "-m", "streams.cli.main", "up", "--detach", "--no-workers"]
    both = [subprocess.Popen(command, env=home.environment, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [each.wait(COMMAND_TIMEOUT_S) for each in both] == [0, 0]
    assert {entry["state"] for entry in home.status().values()} == {"running"}


def test_a_killed_server_comes_back_on_its_port(home: Home) -> None:
    home.up()
    before = home.status()["postgres"]
    dsn = read_endpoints(home.folder).postgres
    assert dsn is not None
    os.kill(home.pid("postgres"), signal.SIGKILL)

    def came_back() -> bool:
        now = home.status()["postgres"]
        return now["state"] == "running" and now["pid"] != before["pid"]

    assert eventually(came_back)
    assert home.status()["postgres"]["address"] == before["address"]
    psycopg.connect(dsn, connect_timeout=5).close()


def test_kill_9_of_the_supervisor_takes_its_children_along_and_blocks_no_next_start(home: Home) -> None:
    home.up()
    dsn = read_endpoints(home.folder).postgres
    assert dsn is not None
    with psycopg.connect(dsn) as connection:
        connection.execute("create table kept (answer int)")
        connection.execute("insert into kept values (42)")
    supervisor = home.supervisor()
    children = supervisor.children(recursive=True)

    supervisor.kill()

    assert eventually(lambda: not any(child.is_running() for child in children))
    assert home.run("status").returncode == 1
    home.up()
    assert read_endpoints(home.folder).postgres == dsn
    with psycopg.connect(dsn) as connection:
        assert connection.execute("select answer from kept").fetchone() == (42,)


def test_a_port_in_use_is_named_and_nothing_is_left_running(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        home.environment["THREADS_LLM_PORT"] = str(port)
        done = home.run("up", "--detach", "--no-workers")
    assert done.returncode == 2
    assert f"Port {port} is in use" in done.stderr
    assert "THREADS_LLM_PORT" in done.stderr
    assert not (home.folder / "postgres" / "data" / "postmaster.pid").exists()


def test_a_kafka_that_is_not_there_is_told_within_ten_seconds(home: Home) -> None:
    home.environment["THREADS_KAFKA"] = "127.0.0.1:1"
    began = time.monotonic()
    done = home.run("up", "--no-workers")
    assert time.monotonic() - began < 10
    assert done.returncode == 2
    assert done.stderr.startswith("threads-agent: Kafka at 127.0.0.1:1 does not answer")


def test_a_full_disk_and_a_home_that_is_no_folder_are_told(home: Home) -> None:
    home.environment["THREADS_MIN_FREE_BYTES"] = str(2**62)
    full = home.run("up", "--detach")
    assert full.returncode == 2
    assert "free some space" in full.stderr
    blocked = Home(home.folder / "file" / "home")
    (home.folder / "file").write_text("not a folder")
    done = blocked.run("up", "--detach")
    assert done.returncode == 2
    assert "set THREADS_HOME to a folder you can write" in done.stderr


def test_an_ordinary_user_starts_the_stack_too(home: Home) -> None:
    unshare = shutil.which("unshare")
    prefix = (unshare or "", "--user", "--map-user=1000", "--map-group=1000") if os.geteuid() == 0 else ()
    if prefix and (not unshare or subprocess.run([*prefix, "true"], check=False, timeout=10).returncode):
        pytest.skip("run as root on a system without user namespaces: there is no ordinary user to be")
    done = home.run("up", "--detach", "--no-workers", prefix=prefix)
    assert done.returncode == 0, done.stderr
    assert home.status()["postgres"]["state"] == "running"
