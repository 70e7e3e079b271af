"""A cluster of three brokers of one test alone: any one of them may be killed and started again."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams.embedded.kafka import KafkaServer, Node, Voter, new_cluster_id
from streams.embedded.ports import free_port
from streams.embedded.process import spawn
from streams.embedded.server import log_tail
from streams.kafka.cluster import Cluster
from streams.kafka.topics import create_topics
from streams.settings import Settings
from tests.conftest import CACHE

NODES = (1, 2, 3)
START_DEADLINE_S = 120.0


class OwnCluster:
    """Three nodes, each broker and controller; topics have three replicas, of which two must have a record."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._servers = {server.node.node_id: server for server in _servers(home)}
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self.bootstrap = ",".join(server.address for server in self._servers.values())
        self.settings = Settings(home=home, kafka=self.bootstrap, replication_factor=3, min_insync_replicas=2)
        self.cluster = Cluster(self.bootstrap, self.settings)

    def start_all(self) -> None:
        """Start all nodes: none is ready before most of them are up."""
        for number in NODES:
            self._spawn(number)
        for number in NODES:
            self._until_ready(number)
        asyncio.run(create_topics(self.cluster))

    def _spawn(self, number: int) -> None:
        server = self._servers[number]
        server.prepare()
        self._processes[number] = spawn(server.launch(), self._log(number))

    def _until_ready(self, number: int) -> None:
        deadline = time.monotonic() + START_DEADLINE_S
        while not self._servers[number].is_ready():
            assert self._processes[number].poll() is None, log_tail(self._log(number))
            assert time.monotonic() < deadline, log_tail(self._log(number))
            time.sleep(0.1)

    def _log(self, number: int) -> Path:
        return self._home / "logs" / f"kafka {number}.log"

    def environment(self) -> dict[str, str]:
        """Return the environment of a worker of this cluster."""
        ours = {"THREADS_REPLICATION_FACTOR": "3", "THREADS_MIN_INSYNC_REPLICAS": "2"}
        return {**os.environ, **ours, "THREADS_HOME": str(self._home), "THREADS_KAFKA": self.bootstrap}

    def kill(self, number: int) -> None:
        """End a node as a power cut would."""
        self._processes[number].kill()
        self._processes[number].wait(timeout=30)

    async def start(self, number: int) -> None:
        """Start a node again; returns when it takes connections."""
        self._spawn(number)
        await asyncio.to_thread(self._until_ready, number)

    async def leader(self, topic: str, partition: int) -> int:
        """Return the number of the node that leads a partition, -1 while there is none."""
        return int((await self._partitions(topic))[partition]["leader"])

    async def until_led_by_another(self, topic: str, partition: int, than: int, deadline_s: float = 60.0) -> None:
        """Wait until a partition has a leader other than a node."""
        async with asyncio.timeout(deadline_s):
            while await self.leader(topic, partition) in (-1, than):
                await asyncio.sleep(0.1)

    async def until_in_sync(self, topic: str, deadline_s: float = 120.0) -> None:
        """Wait until all nodes have all records of a topic."""
        async with asyncio.timeout(deadline_s):
            while any(len(each["isr"]) < len(NODES) for each in (await self._partitions(topic)).values()):
                await asyncio.sleep(0.2)

    async def _partitions(self, topic: str) -> dict[int, dict[str, Any]]:
        """Return what is known of each partition, asking until a node answers: one that is asked may just have died."""
        async with asyncio.timeout(START_DEADLINE_S):
            while True:
                try:
                    return await self._describe(topic)
                except KafkaError:
                    await asyncio.sleep(0.1)

    async def _describe(self, topic: str) -> dict[int, dict[str, Any]]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=5_000)
        try:
            await admin.start()
            (described,) = await admin.describe_topics([topic])
        finally:
            await admin.close()
        return {each["partition"]: each for each in described["partitions"]}

    def stop(self) -> None:
        """End all nodes at once: the last would wait long for a quorum that is gone."""
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait(timeout=30)


def _servers(home: Path) -> Iterator[KafkaServer]:
    cluster_id = new_cluster_id()
    voters = tuple(Voter(number, free_port(), new_cluster_id()) for number in NODES)
    for voter in voters:
        node = Node(free_port(), voter.controller_port, voter.node_id, replicas=len(NODES), voters=voters)
        yield KafkaServer(home / f"kafka {voter.node_id}", CACHE / "jars", node, cluster_id)


@contextmanager
def own_cluster() -> Iterator[OwnCluster]:
    """Run a cluster in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="own cluster ", ignore_cleanup_errors=True) as folder:
        cluster = OwnCluster(Path(folder))
        try:
            cluster.start_all()
            yield cluster
        finally:
            cluster.stop()
