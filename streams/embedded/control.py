"""Control of a home's stack from other processes: start it in the background, find it, stop it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from streams.embedded.preconditions import require_home
from streams.embedded.process import end_leftovers
from streams.embedded.server import ServerFailed, log_tail
from streams.embedded.state_file import ChildStatus, StackState, read_state
from streams.errors import ThreadsError
from streams.process_mark import ProcessMark
from streams.settings import Settings

START_TIMEOUT_S = 420.0  # the first start downloads Kafka
STOP_TIMEOUT_S = 90.0
POLL_INTERVAL_S = 0.1
UNSEEN_TIMEOUT_S = 1.0  # a supervisor takes its lock a moment before it writes its state
SUPERVISOR_LOG = Path("logs", "supervisor.log")

Say = Callable[[str], None]


def find_stack(home: Path) -> StackState | None:
    """Return the state of the stack that runs in `home`, None when none does."""
    state = read_state(home)
    return state if state is not None and state.supervisor.find() is not None else None


def start_detached(settings: Settings, roles: Sequence[str], say: Say) -> StackState:
    """Start the stack in the background and wait until everything runs; attach where it runs already.

    `say` gets a line for every step.

    Raises:
        SettingsError: the home can't be used.
        ServerFailed: it did not come up; the message is the supervisor's own.
    """
    require_home(settings)
    home = settings.home.absolute()
    running = find_stack(home)
    if running is not None:
        say(f"already running, pid {running.supervisor.pid}")
        return await_running(home, say)
    log = home / SUPERVISOR_LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    chosen = [part for role in roles for part in ("--role", role)] or ["--no-workers"]
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command line
            [sys.executable, "-P", "-m", "streams.cli.main", "up", *chosen],
            env={**os.environ, "THREADS_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return await_running(home, say, process)


def await_running(home: Path, say: Say, process: subprocess.Popen[bytes] | None = None) -> StackState:
    """Wait until the stack runs; `process` is the supervisor just started, if it is ours.

    Raises:
        ServerFailed: it ended or takes longer than START_TIMEOUT_S.
    """
    deadline, told = time.monotonic() + START_TIMEOUT_S, ""
    last_seen = time.monotonic()
    while time.monotonic() < deadline:
        state = find_stack(home)
        if state is not None and state.phase == "running":
            return state
        if state is not None and state.message != told:
            told = state.message
            say(told)
        if state is not None:
            last_seen = time.monotonic()
        is_starting = process is not None and process.poll() is None
        if not is_starting and time.monotonic() - last_seen > UNSEEN_TIMEOUT_S:
            raise ServerFailed(_why_it_failed(home))
        time.sleep(POLL_INTERVAL_S)
    raise ServerFailed(f"The stack was not up within {START_TIMEOUT_S:.0f} s; see {home / SUPERVISOR_LOG}")


def _why_it_failed(home: Path) -> str:
    last = read_state(home)
    if last is not None and last.phase == "failed":
        return last.message
    return f"The supervisor ended while starting; the end of its log:\n{log_tail(home / SUPERVISOR_LOG)}"


def stop_stack(home: Path) -> bool:
    """Stop the stack of a home, by force after STOP_TIMEOUT_S; return whether anything ran.

    Left-overs of a killed supervisor are ended too.

    Raises:
        ThreadsError: the supervisor belongs to another user.
    """
    state = read_state(home)
    if state is None:
        return False
    supervisor = state.supervisor.find()
    if supervisor is not None:
        _end_supervisor(supervisor)
    marks = [child.process for child in state.children if child.process is not None]
    ended = end_leftovers(marks)
    return supervisor is not None or bool(ended)


def _end_supervisor(supervisor: psutil.Process) -> None:
    try:
        supervisor.terminate()
        supervisor.wait(STOP_TIMEOUT_S)
    except psutil.TimeoutExpired:
        supervisor.kill()
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied as error:
        raise ThreadsError(
            f"The supervisor, pid {supervisor.pid}, belongs to another user: stop it as that user"
        ) from error


def observed(child: ChildStatus) -> ChildStatus:
    """Return the status as it is now: the state file can't know of a death in the last tick, or of its own writer's."""
    process: ProcessMark | None = child.process
    if process is not None and process.find() is None:
        return ChildStatus(child.kind, child.role, child.address, "stopped", child.restarts, None)
    return child
