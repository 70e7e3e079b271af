"""The servers that integration tests share, started once a session in a home with a space in its path."""

from __future__ import annotations

import asyncio
import importlib
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from streams.embedded.kafka import KafkaServer, Node
from streams.embedded.ports import free_port
from streams.embedded.postgres import PostgresServer
from streams.embedded.process import stop
from streams.embedded.server import Server, run_server
from streams.endpoints import update_endpoints
from streams.settings import Settings

REPOSITORY = Path(__file__).resolve().parent.parent
UPWORTHY_CSV = REPOSITORY.parent / "shared" / "data" / "upworthy_headlines.csv.gz"


@dataclass(slots=True)
class Running:
    """A server started for the session and its process."""

    server: Server
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        stop(self.process, self.server.launch().stop_signal)


class Stack:
    """The session's servers; the registry starts when it is first asked for."""

    def __init__(self, home: Path, cleanup: ExitStack) -> None:
        self.home = home
        self._cleanup = cleanup
        cache = Settings().cache.expanduser() / "jars"
        kafka = KafkaServer(home / "kafka", cache, Node(port=free_port(), controller_port=free_port()))
        postgres = PostgresServer(home / "postgres", free_port())
        self.start(kafka)
        self.start(postgres)
        self.bootstrap = kafka.address
        self.postgres_dsn = postgres.dsn
        self.settings = Settings(home=home, kafka=self.bootstrap, postgres_dsn=SecretStr(self.postgres_dsn))
        if (REPOSITORY / "streams" / "kafka" / "topics.py").exists():
            topics = importlib.import_module("streams.kafka.topics")
            asyncio.run(topics.create_topics(self.settings, self.bootstrap))

    def start(self, server: Server) -> Running:
        """Start a server that ends with the session, and note its address in endpoints.json."""
        running = Running(server, run_server(server, self.home / "logs"))
        self._cleanup.callback(running.stop)
        update_endpoints(self.home, **server.endpoints)
        return running

    def environment(self) -> dict[str, str]:
        """Return the settings for a child process that uses this stack."""
        return {"THREADS_HOME": str(self.home), "THREADS_CACHE": str(self.settings.cache.expanduser())}


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Kafka with the catalogue's topics and PostgreSQL with an empty database `threads`."""
    with tempfile.TemporaryDirectory(prefix="threads stack ", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)  # as root PostgreSQL runs as nobody, who must be able to enter
        with ExitStack() as cleanup:
            yield Stack(home, cleanup)


@pytest.fixture(scope="session")
def upworthy_csv() -> Path:
    """The real engagement archive; it lies next to a working checkout, not in it."""
    if not UPWORTHY_CSV.exists():
        pytest.skip(f"real data set not there: {UPWORTHY_CSV.name} is looked for in shared/data next to the repository")
    return UPWORTHY_CSV
