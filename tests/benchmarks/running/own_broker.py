"""A broker of the benchmark's own: no other data or worker is near it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from streams.embedded.kafka import KafkaServer, Node
from streams.embedded.ports import free_port
from streams.embedded.process import stop
from streams.embedded.server import run_server
from streams.errors import ThreadsError
from streams.kafka.cluster import Cluster
from streams.settings import Settings, current_settings
from tests.benchmarks.job import PARTITIONS

DISK_BYTES_PER_EVENT = 500  # the event itself, its share of partials, updates and changelogs, and as much again


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker; `folder` is for whatever the benchmark writes, and goes with it."""

    bootstrap: str
    pid: int
    folder: Path

    @property
    def home(self) -> Path:
        """Return the home of workers."""
        return self.folder / "home"

    def settings(self) -> Settings:
        """Return the settings of a client of this broker."""
        return Settings(home=self.home, kafka=self.bootstrap, partitions=PARTITIONS)

    def cluster(self) -> Cluster:
        """Return the broker as its clients know it."""
        return Cluster(self.bootstrap, self.settings())

    def log_bytes(self, topic: str) -> int:
        """Return the size of a topic on disk."""
        return sum(path.stat().st_size for path in (self.folder / "kafka" / "data").glob(f"{topic}-[0-9]*/*.log"))


@contextmanager
def broker(events: int) -> Iterator[Broker]:
    """Run a Kafka in a temporary folder that has room for so many events.

    Raises:
        ThreadsError: the disk is too small, or the broker does not start.
    """
    with tempfile.TemporaryDirectory(prefix="threads-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        free, needed = shutil.disk_usage(folder).free, events * DISK_BYTES_PER_EVENT
        if free < needed:
            raise ThreadsError(
                f"{events:,} events need {needed / 2**30:.1f} GB in {folder.parent}, there are {free / 2**30:.1f}; "
                "take fewer events, or set TMPDIR to a larger disk"
            )
        cache = current_settings().cache.expanduser() / "jars"
        server = KafkaServer(folder / "kafka", cache, Node(port=free_port(), controller_port=free_port()))
        process = run_server(server, folder / "logs")
        try:
            yield Broker(server.address, process.pid, folder)
        finally:
            stop(process, server.launch().stop_signal)
