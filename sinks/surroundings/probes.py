"""The probes: consumer groups and broker, database, and the servers that the embedded stack runs on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import psutil
import psycopg

from sinks.postgres.connection import reason_of
from sinks.surroundings.metrics import (
    BROKERS,
    CONSUMER_LAG,
    CONSUMER_LAG_SECONDS,
    CONSUMER_OFFSET,
    DATABASE_CONNECTIONS,
    DATABASE_SIZE,
    LOG_SIZE,
    SERVER_CPU,
    SERVER_MEMORY,
    TOPIC_OFFSET,
)
from sinks.surroundings.watch import Probe
from streams.embedded.state_file import ChildStatus, read_state
from streams.endpoints import resolve
from streams.engine.readings import Reading
from streams.errors import Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.consumer_lag import Lag, LagReader
from streams.postgres_session import PostgresSession, read_statements
from streams.role_names import role_names
from streams.settings import Settings


def probes_of(settings: Settings) -> list[Probe]:
    """Return the probes of what the settings name; there is none of a database that no setting names."""
    dsn = resolve(settings).postgres
    database = [DatabaseProbe(dsn, settings.io_timeout_s)] if dsn else []
    return [KafkaProbe(settings), ServersProbe(settings.home), *database]


class KafkaProbe:
    """The groups of all roles, the ends of what they read, and the brokers with the sizes of their logs."""

    name: ClassVar[str] = "Kafka"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reader: LagReader | None = None

    async def ask(self) -> Sequence[Reading]:
        reader = await self._open()
        lags = await reader.lags(role_names())
        sizes = await reader.log_sizes()
        return [
            *(reading for lag in lags for reading in _of_lag(lag)),
            *_of_ends(lags),
            Reading(BROKERS, (), len(sizes)),
            *(
                Reading(LOG_SIZE, (str(broker), topic), size)
                for broker, of in sizes.items()
                for topic, size in of.items()
            ),
        ]

    async def _open(self) -> LagReader:
        if self._reader is None:
            reader = LagReader(Cluster.of(self._settings))
            self._reader = await reader.__aenter__()
        return self._reader

    async def close(self) -> None:
        if self._reader is not None:
            reader, self._reader = self._reader, None
            await reader.__aexit__(None, None, None)


def _of_lag(lag: Lag) -> Iterator[Reading]:
    labels = (lag.group, lag.source.topic, str(lag.source.partition))
    yield Reading(CONSUMER_LAG, labels, lag.records)
    yield Reading(CONSUMER_OFFSET, labels, lag.position)
    if lag.seconds is not None:
        yield Reading(CONSUMER_LAG_SECONDS, labels, lag.seconds)


def _of_ends(lags: Sequence[Lag]) -> Iterator[Reading]:
    for (topic, partition), end in {lag.source: lag.end for lag in lags}.items():
        yield Reading(TOPIC_OFFSET, (topic, str(partition)), end)


class DatabaseProbe:
    """How many connections our database has, and how large it is; over one connection that stays open."""

    name: ClassVar[str] = "PostgreSQL"

    def __init__(self, dsn: str, timeout_s: float) -> None:
        self._session = PostgresSession(dsn, timeout_s)

    async def ask(self) -> Sequence[Reading]:
        load = read_statements("sinks.surroundings", "sql", "database.sql")["load"]
        try:
            async with self._session.transaction(read_only=True) as connection:
                rows = await (await connection.execute(load)).fetchall()
        except psycopg.Error as error:
            raise Unavailable(f"could not ask PostgreSQL for its load: {reason_of(error)}") from error
        return [
            reading
            for name, connections, size in rows
            for reading in (Reading(DATABASE_CONNECTIONS, (name,), connections), Reading(DATABASE_SIZE, (name,), size))
        ]

    async def close(self) -> None:
        await self._session.close()


class ServersProbe:
    """What the servers of the embedded stack in a home take; nothing where none runs here."""

    name: ClassVar[str] = "the embedded servers"

    def __init__(self, home: Path) -> None:
        self._home = home

    async def ask(self) -> Sequence[Reading]:
        return await asyncio.to_thread(self._look)

    def _look(self) -> list[Reading]:
        state = read_state(self._home)
        servers = [child for child in state.children if child.kind == "server"] if state else []
        return [reading for server in servers for reading in _of_server(server)]

    async def close(self) -> None:
        """Nothing is kept open."""


def _of_server(server: ChildStatus) -> Iterator[Reading]:
    process = server.process.find() if server.process else None
    if process is None:
        return
    try:
        family = [process, *process.children(recursive=True)]
        cpu_s = sum(times.user + times.system for times in (each.cpu_times() for each in family))
        memory = sum(each.memory_info().rss for each in family)
    except psutil.Error:
        return  # it, or a child of it, has just ended
    yield Reading(SERVER_CPU, (server.role,), cpu_s)
    yield Reading(SERVER_MEMORY, (server.role,), memory)
