"""The supervisor: one process that starts the servers, then the workers, watches them, and stops them in turn."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout

from streams.embedded.assembly import Assembly, assemble, qdrant_folder
from streams.embedded.child import Child
from streams.embedded.preconditions import require_configured_servers, require_home
from streams.embedded.process import Launch, end_leftovers
from streams.embedded.prometheus import SCRAPE_INTERVAL_S, PrometheusServer, Target
from streams.embedded.server import ServerFailed, log_tail
from streams.embedded.state_file import Phase, StackState, read_state, write_state
from streams.endpoints import Endpoints, read_endpoints, resolve, update_endpoints, write_endpoints
from streams.errors import ThreadsError
from streams.kafka.cluster import Cluster
from streams.kafka.topics import create_topics
from streams.process_mark import mark
from streams.running_workers import running_workers
from streams.settings import Settings

LOCK_NAME = "supervisor.lock"
TICK_S = 0.1
SERVERS_READY_TIMEOUT_S = 90.0
WORKER_STOP_TIMEOUT_S = 30.0
SERVER_STOP_TIMEOUT_S = 20.0


class AlreadyRunning(ThreadsError):
    """Another supervisor holds this home."""


def worker_launch(role: str, home: Path) -> Launch:
    """Return how a worker of a role is started; its group membership is static, so that it resumes at once."""
    command = (sys.executable, "-P", "-m", "streams.cli.main", "worker", role, "--instance-id", f"embedded-{role}")
    environment = {"THREADS_HOME": str(home), "THREADS_WORKER_METRICS_PORT": "0"}  # one port can't serve all
    return Launch(command, Path.cwd(), environment=environment, inherit=True)


def _at_once() -> bool:
    return True


class Supervisor:
    """Runs the embedded stack of one home in this process, until a signal or `stop` ends it.

    `say` gets one line for every step and every change of a child.
    """

    def __init__(self, settings: Settings, roles: Sequence[str], say: Callable[[str], None]) -> None:
        self.home = settings.home.absolute()
        self._settings = settings
        self._roles = roles
        self._say = say
        self._stopping = threading.Event()
        self._servers: list[Child] = []
        self._workers: list[Child] = []
        self._prometheus: PrometheusServer | None = None
        self._targets_due = 0.0
        self._phase: Phase = "starting"
        self._message = ""
        self._remarks: tuple[str, ...] = ()

    def stop(self) -> None:
        """Ask `run` to stop everything and return."""
        self._stopping.set()

    def run(self) -> None:
        """Start everything and watch it until asked to stop; call it from the main thread.

        Raises:
            AlreadyRunning: this home has a supervisor.
            ThreadsError: a precondition does not hold, or a server did not start; nothing is left running.
        """
        require_home(self._settings)
        lock = FileLock(self.home / LOCK_NAME)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise AlreadyRunning(f"The stack in {self.home} is running already") from error
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        try:
            self._run()
        except Exception as error:
            is_ours = isinstance(error, ThreadsError)
            self._phase, self._message = "failed", str(error) if is_ours else f"{type(error).__name__}: {error}"
            raise
        finally:
            self._stop_children()
            lock.release()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping.set()

    def _run(self) -> None:
        self._clear_the_way()
        self._step("checking the configured servers")
        require_configured_servers(self._settings)
        self._start_servers(assemble(self._settings))
        if self._stopping.is_set():
            return
        self._step("creating topics")
        asyncio.run(create_topics(Cluster.of(self._settings)))
        self._start_workers()
        self._step("running", phase="running")
        while not self._stopping.wait(TICK_S):
            self._tick()

    def _clear_the_way(self) -> None:
        last = read_state(self.home)
        if last is not None:
            ended = end_leftovers(child.process for child in last.children if child.process)
            if ended:
                self._say(f"ended {len(ended)} processes that a killed supervisor left behind")
        write_endpoints(self.home, Endpoints())
        self._step("starting")

    def _step(self, message: str, phase: Phase = "starting") -> None:
        self._phase, self._message = phase, message
        self._say(message)
        self._write_state()

    def _write_state(self) -> None:
        me = mark(os.getpid())
        assert me is not None
        children = tuple(child.status() for child in (*self._servers, *self._workers))
        write_state(self.home, StackState(me, self._phase, self._message, self._remarks, children))

    def _start_servers(self, assembly: Assembly) -> None:
        self._remarks = assembly.remarks
        for remark in assembly.remarks:
            self._say(remark)
        for server in assembly.servers:
            if self._stopping.is_set():
                return
            self._step(f"preparing {server.role}")
            server.prepare()
            child = Child.of_server(server, self.home / "logs")
            self._start(self._servers, child)
            if isinstance(server, PrometheusServer):
                self._prometheus = server
        self._await_servers()
        addresses = {name: value for server in assembly.servers for name, value in server.endpoints.items()}
        update_endpoints(self.home, **addresses)
        if self._settings.qdrant_url is None:
            update_endpoints(self.home, qdrant=qdrant_folder(self.home).as_uri())
        write_endpoints(self.home, resolve(self._settings))

    def _start(self, children: list[Child], child: Child) -> None:
        children.append(child)
        child.start(time.monotonic())
        self._write_state()

    def _await_servers(self) -> None:
        self._step("waiting for the servers")
        deadline = time.monotonic() + SERVERS_READY_TIMEOUT_S
        while not self._stopping.wait(TICK_S):
            self._tick()
            for child in self._servers:
                if child.state == "restarting":
                    raise ServerFailed(
                        f"{child.role} ended with status {child.exit_status} while starting; the end of {child.log}:\n"
                        f"{log_tail(child.log)}"
                    )
            waiting = [child.role for child in self._servers if child.state != "running"]
            if not waiting:
                return
            if time.monotonic() > deadline:
                raise ServerFailed(f"not ready within {SERVERS_READY_TIMEOUT_S:.0f} s: {', '.join(waiting)}")

    def _start_workers(self) -> None:
        for role in self._roles:
            log, launch = self.home / "logs" / f"{role}.log", partial(worker_launch, role, self.home)
            child = Child("worker", role, address="", launch=launch, is_ready=_at_once, log=log)
            self._start(self._workers, child)

    def _tick(self) -> None:
        now = time.monotonic()
        changed = [child for child in (*self._servers, *self._workers) if child.tick(now)]
        for child in changed:
            ended = f", ended with status {child.exit_status}; see {child.log}" if child.state == "restarting" else ""
            self._say(f"{child.kind} {child.role}: {child.state}{ended}")
        if changed:
            self._write_state()
        if self._prometheus is not None:
            self._name_targets(self._prometheus, now)

    def _name_targets(self, prometheus: PrometheusServer, now: float) -> None:
        if now < self._targets_due:
            return
        self._targets_due = now + SCRAPE_INTERVAL_S
        sink = read_endpoints(self.home).metrics
        workers = [Target(each.metrics_url, role=",".join(each.roles)) for each in running_workers(self.home)]
        prometheus.scrape([*([Target(sink)] if sink else []), *workers])

    def _stop_children(self) -> None:
        if self._phase != "failed":
            self._step("stopping", phase="stopping")
        for children, timeout_s in (
            (self._workers, WORKER_STOP_TIMEOUT_S),
            (self._servers, SERVER_STOP_TIMEOUT_S),
        ):
            for child in children:
                child.ask_to_stop()
            for child in children:
                child.finish(timeout_s)
        write_endpoints(self.home, Endpoints())
        if self._phase != "failed":
            self._phase, self._message = "stopped", "stopped"
        self._write_state()
