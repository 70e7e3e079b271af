"""A supervised child: started, watched, restarted with back-off, stopped."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from pathlib import Path

from streams.embedded.process import Launch, spawn
from streams.embedded.server import Server
from streams.embedded.state_file import ChildState, ChildStatus, Kind
from streams.engine.retry import Backoff
from streams.process_mark import ProcessMark, mark

RESTART_BACKOFF = Backoff(first_s=0.5, max_s=30.0)
FAILING_AFTER = 6  # ends in a row; it is started again all the same, for what it lacks may come back
STABLE_S = 60.0  # a child that ran this long starts over with the shortest delay


class Child:
    """One server or worker; `tick` moves it on and is called a few times a second, with a monotonic clock's time."""

    def __init__(
        self,
        kind: Kind,
        role: str,
        *,
        address: str,
        launch: Callable[[], Launch],
        is_ready: Callable[[], bool],
        log: Path,
    ) -> None:
        self.kind: Kind = kind
        self.role = role
        self.address = address
        self.log = log
        self.state: ChildState = "stopped"
        self.restarts = 0
        self.exit_status: int | None = None
        self._launch = launch
        self._is_ready = is_ready
        self._process: subprocess.Popen[bytes] | None = None
        self._mark: ProcessMark | None = None
        self._failures = 0
        self._started_at = self._retry_at = 0.0
        self._random = random.Random()  # noqa: S311 - jitter, not a secret

    @classmethod
    def of_server(cls, server: Server, logs: Path) -> Child:
        """Supervise an embedded server."""
        log = logs / f"{server.role}.log"
        return cls(
            "server", server.role, address=server.address, launch=server.launch, is_ready=server.is_ready, log=log
        )

    def start(self, now: float) -> None:
        """Start it; what keeps the program from being executed counts as a failure and is tried again later."""
        self._started_at = now
        try:
            self._process = spawn(self._launch(), self.log)
        except OSError:
            self._fail(now)
        else:
            self._mark = mark(self._process.pid)
            self.state = "starting"

    def _fail(self, now: float) -> None:
        self._process = self._mark = None
        self._failures += 1
        self._retry_at = now + RESTART_BACKOFF.delay_s(self._failures, None, self._random.random())
        self.state = "restarting"

    def tick(self, now: float) -> bool:
        """Look after it; return whether its state changed."""
        before = (self.state, self.restarts)
        if self._process is not None and self.state in ("starting", "running"):
            self._watch(self._process, now)
        elif self.state == "restarting" and now >= self._retry_at:
            self.restarts += 1
            self.start(now)
        return before != (self.state, self.restarts)

    def _watch(self, process: subprocess.Popen[bytes], now: float) -> None:
        self.exit_status = process.poll()
        if self.exit_status is not None:
            self._fail(now)
        elif self.state == "starting" and self._is_ready():
            self.state = "running"
            self._mark = mark(process.pid)  # the command line is this program's only once it has been executed
        elif self._failures and now - self._started_at > STABLE_S:
            self._failures = 0

    def ask_to_stop(self) -> None:
        """Send the graceful signal; `finish` waits for the end."""
        self.state = "stopped"
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(self._launch().stop_signal)

    def finish(self, timeout_s: float) -> None:
        """Wait for the end, and force it after `timeout_s`."""
        if self._process is None:
            return
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = self._mark = None

    def status(self) -> ChildStatus:
        """Return what the state file says of it."""
        is_failing = self.state == "restarting" and self._failures >= FAILING_AFTER
        state: ChildState = "failing" if is_failing else self.state
        return ChildStatus(self.kind, self.role, self.address, state, self.restarts, self._mark)
