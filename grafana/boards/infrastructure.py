"""The dashboard "Infrastructure": database, broker, and what each process takes."""

from __future__ import annotations

from collections.abc import Iterator

from grafana import variables
from grafana.board import Board, Panel
from grafana.panels import Look, described, lines
from grafana.promql import greatest, growth_of_same, per_second, total, total_of_same
from grafana.sources import promql
from sinks.surroundings.metrics import (
    BROKERS,
    CONSUMER_LAG,
    DATABASE_CONNECTIONS,
    DATABASE_SIZE,
    LOG_SIZE,
    SERVER_CPU,
    SERVER_MEMORY,
)
from streams.metrics import PROCESS_CPU, PROCESS_MEMORY, PROCESS_START, WORKER_BUILD

OF_ROLE = "{{role}} {{instance}}"


def _servers() -> Iterator[Panel]:
    yield lines(
        Look("Connections to PostgreSQL", described(DATABASE_CONNECTIONS), "locale", 12, ""),
        [promql(greatest(DATABASE_CONNECTIONS, ("datname",)), "{{datname}}")],
    )
    yield lines(
        Look("Size of the database", described(DATABASE_SIZE), "bytes", 12, ""),
        [promql(greatest(DATABASE_SIZE, ("datname",)), "{{datname}}")],
    )
    yield lines(Look("Brokers", described(BROKERS), "locale", 6, "topics"), [promql(greatest(BROKERS), "brokers")])
    yield lines(
        Look("Size of topics", described(LOG_SIZE, "Here of all brokers together."), "bytes", 10, "topics"),
        [promql(total_of_same(LOG_SIZE, ("topic",)), "{{topic}}")],
    )
    depth = described(CONSUMER_LAG, "Here of all topics together: the depth of the role's queue.")
    yield lines(
        Look("Queue depth", depth, "locale", 8, "lag"),
        [promql(total_of_same(CONSUMER_LAG, ("consumergroup",)), "{{consumergroup}}")],
    )


def _processes() -> Iterator[Panel]:
    yield lines(
        Look(
            "Processors by worker", described(PROCESS_CPU, "Here as a share of one processor."), "percentunit", 12, ""
        ),
        [promql(per_second(PROCESS_CPU, ("role", "instance")), OF_ROLE)],
    )
    yield lines(
        Look("Memory by worker", described(PROCESS_MEMORY), "bytes", 12, ""),
        [promql(total(PROCESS_MEMORY, ("role", "instance")), OF_ROLE)],
    )
    cpu = described(SERVER_CPU, "Here as a share of one processor; of other servers their own exporters tell.")
    yield lines(
        Look("Processors by server", cpu, "percentunit", 12, ""),
        [promql(growth_of_same(SERVER_CPU, ("server",)), "{{server}}")],
    )
    yield lines(
        Look("Memory by server", described(SERVER_MEMORY), "bytes", 12, ""),
        [promql(greatest(SERVER_MEMORY, ("server",)), "{{server}}")],
    )
    uptime = described(PROCESS_START, "Here the time since then: it falls at a restart.")
    yield lines(
        Look("Uptime of workers", uptime, "s", 12, ""),
        [promql(f"time() - {greatest(PROCESS_START, ('role', 'instance'))}", OF_ROLE)],
    )
    yield lines(
        Look("Versions", described(WORKER_BUILD, "Here how many workers run it."), "locale", 12, ""),
        [promql(total(WORKER_BUILD, ("version",)), "{{version}}")],
    )


BOARD = Board(
    uid="infrastructure",
    title="Infrastructure",
    description="The database, the broker, and what each worker and server takes of processors and memory.",
    variables=(variables.role(),),
    rows={"PostgreSQL and Kafka": _servers, "Processes": _processes},
    since="now-3h",
)
