"""What a rebuild would do: records to read by topic, rows that are live, and the room that another version takes."""

from __future__ import annotations

from dataclasses import dataclass

from sinks.postgres.connection import postgres_dsn
from sinks.postgres.rebuilding.database import Database, sql
from sinks.postgres.rebuilding.tables import COMPARED
from sinks.postgres.rebuilding.versions import Schemas, Version, last_rebuilt, live_schema, read_positions, versions
from sinks.postgres.sink import PostgresSink
from sinks.rebuilding.reading import Reached, by_topic, reach_of
from streams.kafka.cluster import Cluster
from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class Plan:
    """`topics` holds (topic, offsets in its log, offsets that are left to read), `live` the bytes of the live tables.

    `goes_on` is the version that a run would go on with.
    """

    topics: list[tuple[str, int, int]]
    live_bytes: int
    goes_on: Version | None


async def planned(settings: Settings) -> Plan:
    """Look at the log and the database, and change nothing.

    Raises:
        RebuildError: the database has no tables of ours.
        Unavailable: Kafka or PostgreSQL is away.
    """
    database = Database(postgres_dsn(settings), settings.io_timeout_s)
    try:
        cluster = await Cluster.reached(settings)
        live = await live_schema(database)
        goes_on = last_rebuilt(await versions(database))
        known: Reached = {}
        if goes_on is not None:
            known = await read_positions(database, Schemas(live, goes_on.name))
        tables = ", ".join(f"'{live}.{table.name}'::regclass" for table in COMPARED)
        [(live_bytes,)] = await database.rows("measure the live tables", sql("size", tables=tables))
        reached = await reach_of(cluster, PostgresSink.topics, known)
        return Plan(list(by_topic(reached)), int(live_bytes), goes_on)
    finally:
        await database.close()
