"""Row tables: records of the row topics go to PostgreSQL as rows, through COPY and an upsert by id."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection

from sinks.postgres.connection import exchange
from sinks.postgres.draft_rows import draft_row
from sinks.postgres.fact_rows import dead_letter_row, kpi_row, persona_row, request_row
from sinks.postgres.spend_rows import budget_alert_row, saving_row
from sinks.postgres.upsert import PLACE, Row, Upsert, upsert_statements
from streams.engine.batch import Batch, RowBatch

CHUNK_RECORDS = 5_000


@dataclass(frozen=True, slots=True)
class RowTable:
    """A table and how a record of its topics becomes a row: `row_of(record, source partition, offset)`."""

    upsert: Upsert
    topics: tuple[str, ...]
    row_of: Callable[..., Row]

    @property
    def name(self) -> str:
        """Return the table's name."""
        return self.upsert.table

    async def write(self, connection: AsyncConnection, batches: Sequence[Batch], timeout_s: float) -> None:
        """Insert or update the rows of all batches; `upsert` says which of several records makes a row."""
        for chunk in self._chunks(batches):
            with exchange(connection, f"write {len(chunk)} rows of {self.name}", timeout_s):
                await self._load(connection, chunk)

    def _chunks(self, batches: Sequence[Batch]) -> Iterator[list[Row]]:
        rows = [
            self.row_of(row.record, batch.source, row.offset)
            for batch in batches
            if isinstance(batch, RowBatch)
            for row in batch.rows
        ]
        for start in range(0, len(rows), CHUNK_RECORDS):
            yield rows[start : start + CHUNK_RECORDS]

    async def _load(self, connection: AsyncConnection, chunk: Sequence[Row]) -> None:
        sql = upsert_statements(self.upsert, tuple(chunk[0]))
        await connection.execute(sql["stage"])
        await connection.execute(sql["clear"])
        async with connection.cursor() as cursor:
            async with cursor.copy(sql["copy"]) as copy:
                for row in chunk:
                    await copy.write_row(tuple(row.values()))
            await cursor.execute(sql["merge"])


# Each event of a draft holds all that earlier stages said of it: the furthest makes the row, of equals the earliest.
_DRAFTS = Upsert("drafts", ("draft_id",), rank=("precedence", "event_at", "source_topic", *PLACE))
# Of a pane the latest update stays, of two taken at one instant the one written later.
_KPI_UPDATES = Upsert(
    "kpi_updates", ("persona_id", "window_name", "pane"), keeps="last", rank=("as_of", "occurred_at", *PLACE)
)
# Their source is that of the record they are about.
_DEAD_LETTERS = Upsert("dead_letters", ("event_id",), rank=("letter_partition", "letter_offset"))

ROW_TABLES = (
    RowTable(Upsert("personas", ("persona_id",), keeps="last"), ("personas",), persona_row),
    RowTable(Upsert("requests", ("event_id",)), ("persona.requests",), request_row),
    RowTable(_DRAFTS, ("drafts.generated", "drafts.scored", "drafts.accepted", "drafts.rejected"), draft_row),
    RowTable(_KPI_UPDATES, ("kpi.updates",), kpi_row),
    RowTable(Upsert("savings", ("event_id",)), ("cost.savings",), saving_row),
    RowTable(Upsert("budget_alerts", ("event_id",)), ("budget.alerts",), budget_alert_row),
    RowTable(_DEAD_LETTERS, ("dead.letters",), dead_letter_row),
)
