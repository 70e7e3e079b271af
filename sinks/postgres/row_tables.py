"""Row tables: records of the row topics go to PostgreSQL as rows, through COPY and an upsert by id."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection

from sinks.postgres.connection import exchange
from sinks.postgres.draft_rows import draft_row
from sinks.postgres.fact_rows import dead_letter_row, kpi_row, persona_row, request_row
from sinks.postgres.spend_rows import budget_alert_row, saving_row
from sinks.postgres.statements import statements
from streams.engine.batch import Batch, RowBatch

CHUNK_RECORDS = 5_000

Values = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class RowTable:
    """A table and how a record of its topics becomes a row: `row_of(record, source partition, offset)`."""

    name: str
    topics: tuple[str, ...]
    row_of: Callable[..., Values]

    async def write(self, connection: AsyncConnection, batches: Sequence[Batch], timeout_s: float) -> None:
        """Insert or update the rows of all batches; the .sql file says which of several events makes a row."""
        for chunk in self._chunks(batches):
            with exchange(connection, f"write {len(chunk)} rows of {self.name}", timeout_s):
                await self._load(connection, chunk)

    def _chunks(self, batches: Sequence[Batch]) -> Iterator[list[Values]]:
        rows = [
            self.row_of(row.record, batch.source, row.offset)
            for batch in batches
            if isinstance(batch, RowBatch)
            for row in batch.rows
        ]
        for start in range(0, len(rows), CHUNK_RECORDS):
            yield rows[start : start + CHUNK_RECORDS]

    async def _load(self, connection: AsyncConnection, chunk: Sequence[Values]) -> None:
        sql = statements(f"{self.name}.sql")
        await connection.execute(sql["stage"])
        await connection.execute(sql["clear"])
        async with connection.cursor() as cursor:
            async with cursor.copy(sql["copy"]) as copy:
                for values in chunk:
                    await copy.write_row(values)
            await cursor.execute(sql["merge"])


ROW_TABLES = (
    RowTable("personas", ("personas",), persona_row),
    RowTable("requests", ("persona.requests",), request_row),
    RowTable("drafts", ("drafts.generated", "drafts.scored", "drafts.accepted", "drafts.rejected"), draft_row),
    RowTable("kpi_updates", ("kpi.updates",), kpi_row),
    RowTable("savings", ("cost.savings",), saving_row),
    RowTable("budget_alerts", ("budget.alerts",), budget_alert_row),
    RowTable("dead_letters", ("dead.letters",), dead_letter_row),
)
