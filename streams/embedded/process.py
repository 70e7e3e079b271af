"""Child processes: the account one runs under, how it is launched, that it dies with its parent, how it is stopped."""

from __future__ import annotations

import ctypes
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from streams.process_mark import ProcessMark

NOBODY = 65_534
REACHABLE_BY_OTHERS = stat.S_IXOTH
STOP_TIMEOUT_S = 20.0
LEFTOVER_GRACE_S = 10.0
MAX_LOG_BYTES = 16 * 2**20  # a longer log is set aside at the next start
PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PASSED_ON = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "TMPDIR")  # servers get no secrets of the operator's shell

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Account:
    """A user and group id to run a child as."""

    uid: int
    gid: int


def unprivileged_account() -> Account | None:
    """Return the account for servers that refuse to run as root; None when this process is not root."""
    return Account(NOBODY, NOBODY) if os.geteuid() == 0 else None


def is_reachable(folder: Path) -> bool:
    """Tell whether any account may enter the folder: every folder above it can be traversed by others."""
    absolute = folder.absolute()
    return all(parent.stat().st_mode & REACHABLE_BY_OTHERS for parent in (absolute, *absolute.parents))


def give(folder: Path, account: Account | None) -> None:
    """Make `account` the owner of a folder; nothing to do without one."""
    if account is not None:
        os.chown(folder, account.uid, account.gid)


@dataclass(frozen=True, slots=True)
class Launch:
    """What to execute: absolute command, working folder, account, and the signals that end it.

    `orphan_signal` is what the kernel sends when the parent dies (Linux only). `inherit` passes the whole environment
    on; otherwise only what any program needs.
    """

    command: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    inherit: bool = False
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL

    def variables(self) -> dict[str, str]:
        """Return the environment of the child."""
        passed = dict(os.environ) if self.inherit else {k: os.environ[k] for k in _PASSED_ON if k in os.environ}
        return {**passed, **self.environment}


def _die_with_parent(orphan_signal: signal.Signals) -> Callable[[], None] | None:
    """Return what the child runs between fork and exec, after its account was set (a change of uid clears it)."""
    libc, parent = _libc, os.getpid()
    if libc is None:
        return None

    def ask_kernel() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(orphan_signal))
        if os.getppid() != parent:
            os.kill(os.getpid(), orphan_signal)

    return ask_kernel


def spawn(launch: Launch, log: Path) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, its output appended to `log`; call it from the main thread.

    The kernel watches the thread that spawned, so a child of another thread would die with that thread.

    Raises:
        OSError: the program can't be executed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
        log.replace(log.with_suffix(".old.log"))
    account = launch.account
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - our own command line
            launch.command,
            cwd=launch.folder,
            env=launch.variables(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            preexec_fn=_die_with_parent(launch.orphan_signal),  # noqa: PLW1509 - two system calls, no locks
        )


def stop(process: subprocess.Popen[bytes], stop_signal: signal.Signals, timeout_s: float = STOP_TIMEOUT_S) -> int:
    """Stop a child gracefully, by force after `timeout_s`; return its exit status."""
    if process.poll() is None:
        process.send_signal(stop_signal)
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait(timeout_s)


def end_leftovers(marks: Iterable[ProcessMark]) -> list[int]:
    """End those of the marked processes that still run, gracefully first; return their pids.

    They are of a supervisor that was killed. Start time and command line are compared: a pid that another program has
    by now is left alone.
    """
    left = [process for each in marks if (process := each.find()) is not None]
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(left, timeout=LEFTOVER_GRACE_S)
    for process in stubborn:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=LEFTOVER_GRACE_S)
    return [process.pid for process in left]
