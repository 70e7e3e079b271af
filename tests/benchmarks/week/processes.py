"""The roles of the week as processes of one fast clock, through the real command line; each can be killed."""

from __future__ import annotations

import contextlib
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from agents.gateway.routes.platforms import PATH
from streams.embedded.ports import free_port
from streams.embedded.process import Launch, spawn, stop
from streams.embedded.server import log_tail
from streams.endpoints import read_endpoints
from streams.errors import ThreadsError
from tests.benchmarks.running.module_process import PROJECT
from tests.benchmarks.running.own_broker import Broker
from tests.support.faults.shifted_clock import ShiftedClock

ROLES = ("simulator", "publishing", "insights", "kpis", "posts-watchdog", "gateway")
KILLED = ("publishing", "insights", "kpis", "simulator", "posts-watchdog")
"""In the order in which they are killed."""
START_TIMEOUT_S = 120.0
KILL_TIMEOUT_S = 30.0
RUNNING = re.compile(rb" Running \S")
HOUR_S, DAY_S = 3_600.0, 86_400.0


def settings_at(speed: float) -> Mapping[str, str]:
    """Return the settings of the roles: what is measured by the wall clock is as long as the clock is fast."""
    wanted: dict[str, float] = {
        "PLATFORM_TIMEOUT_S": 3.0,
        "SIMULATOR_SLOW_ANSWER_S": 1.0,
        "SIMULATOR_READY_S": min(0.1 * speed, HOUR_S),
        "SIMULATOR_SLOW_READY_S": min(speed, DAY_S),
        "PUBLISH_LEAD_S": min(speed, HOUR_S),
        "PUBLISH_FIRST_LOOK_S": 0.2,
        "PUBLISH_LOOK_S": 0.5,
        "PUBLISH_READY_WITHIN_S": min(15 * speed, DAY_S),
        "PUBLISH_FIRST_RETRY_S": 0.2,
        "PUBLISH_LONGEST_RETRY_S": 2.0,
        "PUBLISH_RECONCILE_S": 0.3,
        "PUBLISH_GRACE_S": 1.0,
        "PUBLISH_OUTSIDE_S": 0.5,
        "PUBLISH_QUOTA_AGE_S": 5.0,
        "PUBLISH_WITHIN_H": 24 * 30.0,
        "PUBLISH_STUCK_S": 15 * speed,
        "PUBLISH_OVERDUE_AFTER_S": 15 * speed,
        "PUBLISH_LONGEST_HEAL_PAUSE_S": 60 * speed,
        "INSIGHTS_FIRST_RETRY_S": min(0.2 * speed, HOUR_S),
        "INSIGHTS_LONGEST_RETRY_S": min(2 * speed, DAY_S),
        "INSIGHTS_PAUSE_S": min(speed, DAY_S),
        "INSIGHTS_ACCOUNT_EVERY_S": HOUR_S,
        "INSIGHTS_CLICK_DAYS": 60,
    }
    return {f"THREADS_{name}": f"{value:g}" for name, value in wanted.items()}


def settings_of_webhooks() -> Mapping[str, str]:
    """Return the settings by which the simulator posts its webhooks to the gateway, signed."""
    port, word, secret = free_port(), secrets.token_hex(16), secrets.token_hex(16)
    return {
        "THREADS_GATEWAY_PORT": str(port),
        "THREADS_APP_SECRET": secret,
        "THREADS_WEBHOOK_VERIFY_TOKEN": word,
        "THREADS_SIMULATOR_WEBHOOK_URL": f"http://127.0.0.1:{port}{PATH}",
        "THREADS_SIMULATOR_WEBHOOK_VERIFY_TOKEN": word,
        "THREADS_NOTICE_WINDOW_S": str(int(30 * DAY_S)),
    }


class RoleProcess:
    """A role, in a slot of its group; killed and started again it has the slot's partitions back."""

    def __init__(self, broker: Broker, role: str, clock: ShiftedClock, settings: Mapping[str, str]) -> None:
        self.role = role
        self._log = broker.folder / "logs" / f"{role}.log"
        module = ("-m", "tests.support.faults.shifted_clock", str(clock.path))
        command = (sys.executable, *module, "worker", role, "--instance-id", "0")
        environment = {"THREADS_HOME": str(broker.home), "THREADS_KAFKA": broker.bootstrap, **settings}
        self._launch = Launch(command, PROJECT, environment)
        self._process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._log_start = self._log.stat().st_size if self._log.exists() else 0
        return spawn(self._launch, self._log)

    def check(self) -> None:
        """Raise where it has ended by itself.

        Raises:
            ThreadsError: with what it said last.
        """
        status = self._process.poll()
        if status is not None:
            raise ThreadsError(f"{self.role} ended with status {status}. It last said: {log_tail(self._log, 20)}")

    @property
    def runs(self) -> bool:
        """Tell whether it has said that it runs, since it was started last."""
        return self._log.exists() and RUNNING.search(self._log.read_bytes()[self._log_start :]) is not None

    def kill(self) -> None:
        """End it as a power cut would, and start it again."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(KILL_TIMEOUT_S)
        self._process = self._spawn()

    def stop(self) -> None:
        """End it gracefully."""
        stop(self._process, signal.SIGTERM)


class Processes:
    """All roles."""

    def __init__(self, running: Sequence[RoleProcess]) -> None:
        self._running = {each.role: each for each in running}

    def check(self) -> None:
        """Raise where one has ended by itself."""
        for each in self._running.values():
            each.check()

    def kill(self, role: str) -> None:
        """End one as a power cut would, and start it again."""
        self._running[role].kill()


@contextlib.contextmanager
def processes(broker: Broker, clock: ShiftedClock, settings: Mapping[str, str]) -> Iterator[Processes]:
    """Run all roles until the context ends; it begins when they run.

    Raises:
        ThreadsError: one ended, or does not run in time.
    """
    broker.home.mkdir(exist_ok=True)
    with contextlib.ExitStack() as cleanup:
        running: list[RoleProcess] = []
        for role in ROLES:
            running.append(RoleProcess(broker, role, clock, settings))
            cleanup.callback(running[-1].stop)
        _until_running(broker.home, running)
        yield Processes(running)


def _until_running(home: Path, running: Sequence[RoleProcess]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not all(each.runs for each in running) or read_endpoints(home).simulator is None:
        for each in running:
            each.check()
        if time.monotonic() > deadline:
            waiting = ", ".join(each.role for each in running if not each.runs)
            raise ThreadsError(f"{waiting} does not run within {START_TIMEOUT_S:g} s; nothing else must run meanwhile")
        time.sleep(0.1)
