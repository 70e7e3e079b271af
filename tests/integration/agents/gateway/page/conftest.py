"""The live page on a real gateway, with the roles behind it, and a browser that looks at it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser

from agents.gateway.auth.first_token import read_first_token
from agents.personas.persona import Persona
from agents.personas.persona_topic import apply_personas
from schemas.records import Record
from schemas.registries.registry import open_registry
from streams.endpoints import read_endpoints
from streams.engine.stage import Output
from streams.kafka.producer import EventProducer
from streams.wall_clock import utc_now
from tests.conftest import Stack
from tests.faults.conftest import WorkerProcess
from tests.support.browser import running_chromium
from tests.support.operator_home import eventually
from tests.support.page_visit import Visit, Window, visiting
from tests.support.postgres_tables import own_database

READY_S = 60.0
ROLES = ("kpis", "sink-postgres")


@dataclass(slots=True)
class Front:
    """A gateway that runs as a process, and what is behind it."""

    stack: Stack
    gateway: WorkerProcess

    @property
    def url(self) -> str:
        """Its address; None was noted as long as it does not listen."""
        found = read_endpoints(self.stack.home).gateway
        assert found is not None
        return found

    @property
    def token(self) -> str:
        """The first token, which sees and may do all."""
        found = read_first_token(self.stack.home)
        assert found is not None
        return found

    def until_ready(self) -> None:
        """Wait until it answers."""
        assert eventually(self._is_ready, READY_S), self.gateway.log()[-2_000:]

    def _is_ready(self) -> bool:
        if read_endpoints(self.stack.home).gateway is None:
            return False
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).is_success
        except httpx.TransportError:
            return False

    def send(self, topic: str, *records: Record) -> None:
        """Append records, acknowledged."""
        self.run(self._send(topic, records))

    def apply(self, *personas: Persona) -> None:
        """Put personas in force."""
        self.run(apply_personas(self.stack.settings, personas, utc_now()))

    def run(self, work: Coroutine[Any, Any, object]) -> None:
        """Run a coroutine in a thread: Playwright has a loop in this one."""
        with ThreadPoolExecutor(1) as threads:
            threads.submit(asyncio.run, work).result()

    async def _send(self, topic: str, records: tuple[Record, ...]) -> None:
        producer = EventProducer(self.stack.cluster, open_registry(None))
        await producer.start()
        try:
            await producer.append_all(Output(topic, record) for record in records)
        finally:
            await producer.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, without a window; a module long, for its loop is in the way of asynchronous tests."""
    with running_chromium() as running:
        yield running


@pytest.fixture(scope="module")
def front(stack: Stack, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """The gateway and the roles that make what it shows, on a database of their own."""
    logs: Path = tmp_path_factory.mktemp("front")
    with own_database(stack.postgres_dsn) as dsn, ExitStack() as cleanup:

        def spawn(*roles: str) -> WorkerProcess:
            worker = WorkerProcess(stack, roles, "page", logs / f"{roles[0]}.log", THREADS_POSTGRES_DSN=dsn)
            cleanup.callback(worker.stop)
            return worker

        spawn(*ROLES)
        running = Front(stack, spawn("gateway"))
        running.until_ready()
        yield running


Visiting = Callable[[Window], AbstractContextManager[Visit]]


@pytest.fixture
def visitor(browser: Browser, front: Front) -> Visiting:
    """Visit the page: `with visitor(Window(scheme="dark")) as visit`."""

    def visit(window: Window) -> AbstractContextManager[Visit]:
        return visiting(browser, front.url, front.token, window)

    return visit


@pytest.fixture
def visit(visitor: Visiting) -> Iterator[Visit]:
    """A visit as it usually is."""
    with visitor(Window()) as running:
        yield running
