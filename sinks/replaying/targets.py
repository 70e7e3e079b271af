"""The stores that sinks fill as targets of replays: each is its sink."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.replaying.target import ReplayTarget
    from streams.settings import Settings


def postgres(settings: Settings) -> ReplayTarget:
    """Return the tables of PostgreSQL; raises SettingsError where none is configured."""
    from sinks.postgres.connection import postgres_dsn
    from sinks.postgres.replaying import PostgresTarget

    return PostgresTarget(postgres_dsn(settings), settings.io_timeout_s)


def qdrant(settings: Settings) -> ReplayTarget:
    """Return the collections of Qdrant, the embedded one where no server is configured."""
    from sinks.qdrant.role import vector_store
    from sinks.qdrant.sink import QdrantSink

    return QdrantSink(vector_store(settings))
