"""The Postgres sink: the rows of every topic, in one transaction a checkpoint."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import ClassVar

import psycopg
from psycopg import AsyncConnection

from sinks.postgres.column_tables import COLUMN_TABLES
from sinks.postgres.connection import begin_writing, connect, exchange
from sinks.postgres.migrations import migrate
from sinks.postgres.row_tables import ROW_TABLES
from sinks.postgres.screening import screen
from sinks.postgres.table import Table
from sinks.postgres.totals import bring_up_to_date
from sinks.sink import Screened, Sink
from streams.engine.batch import Batch
from streams.errors import Unavailable
from streams.postgres_session import COMMIT

logger = logging.getLogger(__name__)

TABLES: tuple[Table, ...] = (*ROW_TABLES, *COLUMN_TABLES)


class PostgresSink(Sink):
    """Upserts by id into the tables of sinks/postgres/migrations, which it makes and brings up to date itself.

    Which of several records with one id makes the row depends on the records and their offsets alone, so that any
    batching, order or replay ends in the same rows. Tables are written in one order by every worker, rows in the order
    of their ids: workers do not wait for each other in a circle.
    """

    name: ClassVar[str] = "sink-postgres"
    topics: ClassVar[tuple[str, ...]] = tuple(topic for table in TABLES for topic in table.topics)

    def __init__(self, dsn: str, timeout_s: float) -> None:
        self._dsn = dsn
        self._timeout_s = timeout_s
        self._connection: AsyncConnection | None = None

    async def open(self) -> None:
        """Make the tables, if the server is there; else the first write does."""
        try:
            await self._connected()
        except Unavailable as error:
            logger.warning("%s; going on, rows are written when it is back", error)

    async def screen(self, batch: Batch) -> Screened:
        return screen(batch)

    async def write(self, batches: Sequence[Batch]) -> None:
        """Load all batches in one transaction; a connection that failed is not used again."""
        try:
            await self._write(batches)
        except psycopg.errors.UndefinedColumn:  # a pooler's session still has staging tables of before a migration
            await self._write(batches, before=b"DISCARD TEMP")

    async def _write(self, batches: Sequence[Batch], before: bytes | None = None) -> None:
        connection = await self._connected()
        try:
            await begin_writing(connection, self._timeout_s)
            if before is not None:
                await connection.execute(before)
            changes = {}
            for table in TABLES:
                of_table = [batch for batch in batches if batch.source.topic in table.topics]
                if of_table:
                    changes[table.name] = await table.write(connection, of_table, self._timeout_s)
            await bring_up_to_date(connection, changes.get("engagement"), changes.get("posts"), self._timeout_s)
            with exchange(connection, "commit a transaction in PostgreSQL", self._timeout_s):
                await connection.execute(COMMIT)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _connected(self) -> AsyncConnection:
        if self._connection is None or self._connection.closed:
            connection = await connect(self._dsn, self._timeout_s)
            try:
                for migration in await migrate(connection, self._timeout_s):
                    logger.info("applied migration %d (%s)", migration.version, migration.name)
            except BaseException:
                await connection.close()
                raise
            self._connection = connection
        return self._connection
