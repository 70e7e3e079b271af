"""The servers that integration tests share, started once a session in a home with a space in its path."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pydantic import SecretStr

from streams.embedded.debian_packages import find_program
from streams.embedded.kafka import KafkaServer, Node
from streams.embedded.llm import ModelServer
from streams.embedded.ports import free_port
from streams.embedded.postgres import PostgresServer
from streams.embedded.process import stop
from streams.embedded.registry import RegistryServer
from streams.embedded.server import Server, run_server
from streams.endpoints import update_endpoints
from streams.kafka.cluster import Cluster
from streams.kafka.topics import create_topics
from streams.settings import Settings, current_settings
from tests.support.alertmanager import can_mount, is_unpacked

REPOSITORY = Path(__file__).resolve().parent.parent
UPWORTHY_CSV = REPOSITORY.parent / "shared" / "data" / "upworthy_headlines.csv.gz"
CACHE = Settings().cache.expanduser()
KEPT_SETTINGS = ("THREADS_CACHE", "THREADS_TEST_SEED")

# How long an example takes says how busy the machine is.
hypothesis_settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("suite")
hypothesis_settings.register_profile("long", max_examples=2_000)  # ./run_tests.sh FILE --hypothesis-profile long
# One round of `just fuzz`, over the tests marked `fuzz`: these set no max_examples of their own, which would win.
hypothesis_settings.register_profile(
    "fuzz", max_examples=500, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)


def pytest_configure() -> None:
    """Keep the operator's settings out: no test may reach a real cluster, or a provider that bills."""
    for name in list(os.environ):
        if name.startswith(("THREADS_", "OPENAI_")) and name not in KEPT_SETTINGS:
            del os.environ[name]


def pytest_runtest_setup() -> None:
    """Let no test see the settings that another one has read."""
    current_settings.cache_clear()


@dataclass(slots=True)
class Running:
    """A server started for the session and its process."""

    server: Server
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        stop(self.process, self.server.launch().stop_signal)


class Stack:
    """The session's servers; those of the properties start when they are first asked for."""

    def __init__(self, home: Path, cleanup: ExitStack) -> None:
        self.home = home
        self._cleanup = cleanup
        kafka = KafkaServer(home / "kafka", CACHE / "jars", Node(port=free_port(), controller_port=free_port()))
        postgres = PostgresServer(home / "postgres", free_port())
        self.start(kafka)
        self.start(postgres)
        self.bootstrap = kafka.address
        self.postgres_dsn = postgres.dsn
        self.settings = Settings(home=home, kafka=self.bootstrap, postgres_dsn=SecretStr(self.postgres_dsn))
        self.cluster = Cluster(self.bootstrap, self.settings)
        asyncio.run(create_topics(self.cluster))

    def start(self, server: Server) -> Running:
        """Start a server that ends with the session, and note its address in endpoints.json."""
        running = Running(server, run_server(server, self.home / "logs"))
        self._cleanup.callback(running.stop)
        update_endpoints(self.home, **server.endpoints)
        return running

    @cached_property
    def registry_url(self) -> str:
        return self.start(RegistryServer(self.home / "schemas", free_port())).server.address

    @cached_property
    def llm_url(self) -> str:
        return self.start(ModelServer(self.home / "llm", free_port())).server.address

    def environment(self) -> dict[str, str]:
        """Return the environment of a child process that uses this stack through its endpoints.json."""
        return {**os.environ, "THREADS_HOME": str(self.home), "THREADS_CACHE": str(CACHE)}


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Kafka with the catalogue's topics and PostgreSQL with an empty database `threads`."""
    with tempfile.TemporaryDirectory(prefix="threads stack ", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)  # as root PostgreSQL runs as nobody, who must be able to enter
        with ExitStack() as cleanup:
            yield Stack(home, cleanup)


@pytest.fixture(scope="session")
def llm(stack: Stack) -> str:
    """The OpenAI base URL of the offline model's server."""
    return stack.llm_url


@pytest.fixture(scope="session")
def prometheus_program() -> Path:
    """The Prometheus that run_tests.sh fetches where apt-get is there."""
    program = find_program(CACHE, "prometheus")
    if program is None:
        pytest.skip("no Prometheus on PATH, nor fetched by run_tests.sh")
    return program


@pytest.fixture(scope="session")
def alertmanager_program() -> Path:
    """The Alertmanager that run_tests.sh fetches where apt-get is there."""
    program = find_program(CACHE, "alertmanager")
    if program is None:
        pytest.skip("no Alertmanager: run_tests.sh fetches Debian's package, elsewhere put `alertmanager` on PATH")
    if is_unpacked(program) and not can_mount():
        pytest.skip("no mount namespaces here, which an unpacked Alertmanager needs: install `prometheus-alertmanager`")
    return program


@pytest.fixture(scope="session")
def upworthy_csv() -> Path:
    """The real engagement archive; it lies next to a working checkout, not in it."""
    if not UPWORTHY_CSV.exists():
        pytest.skip(f"real data set not there: {UPWORTHY_CSV.name} is looked for in shared/data next to the repository")
    return UPWORTHY_CSV


@pytest.fixture
def seed() -> int:
    """A seed that is printed, to run a random test again: THREADS_TEST_SEED=... ./run_tests.sh ..."""
    value = int(os.environ.get("THREADS_TEST_SEED") or secrets.randbelow(2**31))
    print(f"THREADS_TEST_SEED={value}")  # noqa: T201 - pytest shows it with a failing test
    return value
