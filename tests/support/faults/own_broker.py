"""A broker of one test alone, to be killed and started again on the same port with the same data."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.embedded.kafka import KafkaServer, Node
from streams.embedded.ports import free_port
from streams.embedded.process import stop
from streams.embedded.server import run_server
from streams.kafka.cluster import Cluster
from streams.kafka.topics import create_topics
from streams.settings import Settings
from tests.conftest import CACHE


class OwnBroker:
    """A broker with the catalogue's topics and a home for its workers."""

    def __init__(self, home: Path) -> None:
        self._server = KafkaServer(home / "kafka", CACHE / "jars", Node(port=free_port(), controller_port=free_port()))
        self._home = home
        self.bootstrap = self._server.address
        self.settings = Settings(home=home, kafka=self.bootstrap)
        self.cluster = Cluster(self.bootstrap, self.settings)
        self._process = self._run()
        asyncio.run(create_topics(self.cluster))

    def _run(self) -> subprocess.Popen[bytes]:
        return run_server(self._server, self._home / "logs")

    def environment(self) -> dict[str, str]:
        """Return the environment of a worker of this broker."""
        return {**os.environ, "THREADS_HOME": str(self._home), "THREADS_KAFKA": self.bootstrap}

    def signal(self, number: signal.Signals) -> None:
        """Send the broker a signal: SIGSTOP freezes it, SIGCONT lets it go on."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End the broker as a power cut would."""
        self._process.kill()
        self._process.wait(timeout=30)

    def start(self) -> None:
        """Start it again; returns when it takes connections."""
        self._process = self._run()

    def stop(self) -> None:
        stop(self._process, self._server.launch().stop_signal)


@contextmanager
def own_broker() -> Iterator[OwnBroker]:
    """Run a broker in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="own broker ", ignore_cleanup_errors=True) as folder:
        broker = OwnBroker(Path(folder))
        try:
            yield broker
        finally:
            broker.stop()
