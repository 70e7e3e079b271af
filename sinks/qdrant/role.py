"""The role `sink-qdrant`."""

from __future__ import annotations

from collections.abc import Sequence

from sinks.qdrant.server_store import ServerStore, client_at
from sinks.qdrant.server_versions import ServerVersions
from sinks.qdrant.sink import QdrantSink, VectorStore
from sinks.qdrant.versions import VersionedStore
from streams.embedded.extra import require_extra
from streams.engine.stage import AnyStage
from streams.role import Role
from streams.settings import Settings


def vector_store(settings: Settings) -> VectorStore:
    """Return the server's store where THREADS_QDRANT_URL names one, else the engine embedded in the home.

    Raises:
        SettingsError: no server is named, and the extra `embedded`, which has the engine, is not installed.
    """
    if settings.qdrant_url:
        return ServerStore.at(settings.qdrant_url, settings.io_timeout_s)
    require_extra(settings, "qdrant_url")
    from sinks.qdrant.embedded_store import EmbeddedStore

    return EmbeddedStore(settings.home.absolute() / "qdrant")


def versioned_store(settings: Settings) -> VersionedStore:
    """Return the same store for a rebuild, with its versions; raises as `vector_store` does."""
    if settings.qdrant_url:
        return ServerVersions(client_at(settings.qdrant_url, settings.io_timeout_s))
    require_extra(settings, "qdrant_url")
    from sinks.qdrant.embedded_versions import EmbeddedVersions

    return EmbeddedVersions(settings.home.absolute() / "qdrant")


def _stages(settings: Settings) -> Sequence[AnyStage]:
    return (QdrantSink(vector_store(settings)),)


ROLE = Role("sink-qdrant", _stages)
