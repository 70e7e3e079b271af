"""Child processes: how one is launched, that it dies with its parent, and how it is stopped."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from streams.embedded.account import Account

STOP_TIMEOUT_S = 20.0
MAX_LOG_BYTES = 16 * 2**20  # a longer log is set aside at the next start
PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PASSED_ON = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "TMPDIR")  # servers get no secrets of the operator's shell

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


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
