"""The role `sink-postgres`."""

from __future__ import annotations

from collections.abc import Sequence

from sinks.postgres.connection import postgres_dsn
from sinks.postgres.sink import PostgresSink
from streams.engine.stage import AnyStage
from streams.role import Role
from streams.settings import Settings


def _stages(settings: Settings) -> Sequence[AnyStage]:
    return (PostgresSink(postgres_dsn(settings), settings.io_timeout_s),)


ROLE = Role("sink-postgres", _stages)
