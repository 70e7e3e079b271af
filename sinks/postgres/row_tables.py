"""Row tables: records of the row topics go to PostgreSQL as rows, through COPY and an upsert by id.

A column is a field of the record by its name; what a table has otherwise is said here.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from schemas.records import (
    BudgetAlert,
    CostSaving,
    DeadLetter,
    DeadOutcome,
    DraftDecided,
    DraftGenerated,
    DraftReviewed,
    DraftScored,
    HookChoice,
    HookReward,
    InsightsSnapshot,
    KpiUpdate,
    NearDuplicate,
    OperationRun,
    PersonaApplied,
    PersonaRequest,
    PlatformNotice,
    PostState,
    Quality,
    Record,
)
from sinks.postgres.connection import exchange
from sinks.postgres.table import PLACE, Row, Upsert, upsert_statements
from streams.engine.batch import Batch, RowBatch, TopicPartition

R = TypeVar("R", bound=Record)
CHUNK_RECORDS = 5_000


class RecordColumns(Generic[R]):
    """The fields of a kind of record as columns, in their order.

    `renamed` gives a field a column of another name, `left_out` names those without one. An array of texts is an array,
    an array of records is jsonb. Any other field with parts is left out: its columns are the table's to say.
    """

    def __init__(
        self, record: type[R], *, renamed: Mapping[str, str] | None = None, left_out: Sequence[str] = ()
    ) -> None:
        """Take the record and what differs.

        Raises:
            TypeError: the record does not have a field that is named, or has one with parts that is not left out.
        """
        renamed, hints = renamed or {}, get_type_hints(record)
        names = [field.name for field in fields(record)]
        unknown = sorted({*renamed, *left_out} - set(names))
        if unknown:
            raise TypeError(f"{record.__name__} has no field {', '.join(unknown)}: say it here as the .avsc file does")
        kept = [name for name in names if name not in left_out]
        self._columns = [renamed.get(name, name) for name in kept]
        self._values = _getter(kept)
        stored = [(renamed.get(name, name), _stored(hints[name], f"{record.__name__}.{name}")) for name in kept]
        self._arrays = [(column, convert) for column, convert in stored if convert is not None]

    @property
    def nothing(self) -> Row:
        """Return the row of no record: each column without a value."""
        return dict.fromkeys(self._columns)

    def row(self, record: R) -> Row:
        """Return the values of a record by column."""
        row: Row = dict(zip(self._columns, self._values(record), strict=True))
        for column, convert in self._arrays:
            row[column] = convert(row[column])
        return row


def _getter(names: Sequence[str]) -> Callable[[Any], Sequence[object]]:
    """Return what reads these fields; the way that is quickest of many gives no sequence of one."""
    return attrgetter(*names) if len(names) > 1 else lambda record: [getattr(record, name) for name in names]


def _stored(hint: object, path: str) -> Callable[[Any], object] | None:
    """Return how values of a field are handed to PostgreSQL, None for as they are."""
    parts = get_args(hint) or (hint,)
    has_records = any(isinstance(each, type) and issubclass(each, Record) for each in parts)
    is_array = get_origin(hint) is tuple
    if is_array and has_records:
        return _as_json(RecordColumns(parts[0]))
    if is_array and parts[0] is str:
        return list
    if is_array or has_records:
        raise TypeError(f"{path} has parts: leave it out here, and say in the table which columns they are")
    return None


def _as_json(columns: RecordColumns[Any]) -> Callable[[Sequence[Record]], Jsonb]:
    return lambda records: Jsonb([columns.row(each) for each in records])


@dataclass(frozen=True, slots=True)
class RowTable:
    """A table, and what a record of its topics says in it.

    `row_of(record)` gives a new row of values by column; `place` are the columns of where the record came from: its
    partition and its offset, before them its topic where there are three.
    """

    upsert: Upsert
    topics: tuple[str, ...]
    row_of: Callable[..., Row]
    place: tuple[str, ...] = PLACE

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
            self._row(row.record, batch.source, row.offset)
            for batch in batches
            if isinstance(batch, RowBatch)
            for row in batch.rows
        ]
        for start in range(0, len(rows), CHUNK_RECORDS):
            yield rows[start : start + CHUNK_RECORDS]

    def _row(self, record: Record, source: TopicPartition, offset: int) -> Row:
        row = self.row_of(record)
        row.update(zip(self.place, (source.topic, source.partition, offset)[-len(self.place) :], strict=True))
        return row

    async def _load(self, connection: AsyncConnection, chunk: Sequence[Row]) -> None:
        sql = upsert_statements(self.upsert, tuple(chunk[0]))
        await connection.execute(sql["stage"])
        await connection.execute(sql["clear"])
        async with connection.cursor() as cursor:
            async with cursor.copy(sql["copy"]) as copy:
                for row in chunk:
                    await copy.write_row(tuple(row.values()))
            await cursor.execute(sql["merge"])


DraftEvent = DraftGenerated | DraftScored | DraftDecided

_EVENT = ("event_id", "causation_id")
_PARTS = ("persona_id", "draft", "quality")  # their columns are those of the parts
_DRAFT = RecordColumns(DraftGenerated, renamed={"occurred_at": "generated_at"}, left_out=(*_EVENT, "hook_choice"))
_CHOICE = RecordColumns(
    HookChoice,
    renamed={
        "style": "hook_style",
        "propensity": "hook_propensity",
        "model_version": "hook_model_version",
        "win_probability": "hook_win_probability",
    },
)
_QUALITY = RecordColumns(Quality)
_NEAR = RecordColumns(
    NearDuplicate, renamed={"draft_id": "near_duplicate_id", "similarity": "near_duplicate_similarity"}
)
_SCORE = RecordColumns(DraftScored, renamed={"occurred_at": "event_at"}, left_out=(*_EVENT, *_PARTS))
_DECISION = RecordColumns(
    DraftDecided,
    renamed={"occurred_at": "decided_at", "decision": "status"},
    left_out=(*_EVENT, *_PARTS, "near_duplicate", "embedding"),
)


def draft_row(event: DraftEvent) -> Row:
    """Return the row of `drafts`: what the event says of the draft, and nothing of what comes later in its life."""
    draft = event if isinstance(event, DraftGenerated) else event.draft
    near = event.near_duplicate if isinstance(event, DraftDecided) else None
    return {
        **_DRAFT.row(draft),
        **(_CHOICE.row(draft.hook_choice) if draft.hook_choice else _CHOICE.nothing),
        **(_QUALITY.nothing if isinstance(event, DraftGenerated) else _QUALITY.row(event.quality)),
        **(_NEAR.row(near) if near else _NEAR.nothing),
        **(_SCORE.row(event) if isinstance(event, DraftScored) else _SCORE.nothing | {"event_at": event.occurred_at}),
        **_standing(event),
    }


def _standing(event: DraftEvent) -> Row:
    if isinstance(event, DraftDecided):
        return {**_DECISION.row(event), "precedence": 0}
    status, precedence = ("generated", 2) if isinstance(event, DraftGenerated) else ("scored", 1)
    return {**_DECISION.nothing, "reasons": [], "status": status, "precedence": precedence}


_KPIS = RecordColumns(KpiUpdate, renamed={"window": "window_name", "window_end": "as_of"}, left_out=("causation_id",))
_MINUTE_PANES = frozenset({"1h", "24h"})


_REWARD = RecordColumns(HookReward, left_out=("choice",))


def _reward_row(reward: HookReward) -> Row:
    return _REWARD.row(reward) | _CHOICE.row(reward.choice)


def _kpi_row(update: KpiUpdate) -> Row:
    row = _KPIS.row(update)
    row["pane"] = kpi_pane(update.window, update.window_end)
    return row


def kpi_pane(window: str, as_of: datetime) -> datetime:
    """Return the start of the pane whose latest update is kept: a minute for 1h and 24h, an hour for longer windows."""
    minute = as_of.replace(second=0, microsecond=0)
    return minute if window in _MINUTE_PANES else minute.replace(minute=0)


_LETTERS = RecordColumns(DeadLetter, renamed={"key": "record_key", "value": "record_value"}, left_out=("headers",))


def _dead_letter_row(letter: DeadLetter) -> Row:
    """Return the row; NUL characters are replaced: a refused letter would make another."""
    headers = [
        {"name": _holdable(each.name), "value": None if each.value is None else base64.b64encode(each.value).decode()}
        for each in letter.headers
    ]
    return {name: _holdable(value) for name, value in _LETTERS.row(letter).items()} | {"headers": Jsonb(headers)}


def _holdable(value: object) -> object:
    return value.replace("\x00", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value


_DRAFT_TOPICS = ("drafts.generated", "drafts.scored", "drafts.accepted", "drafts.rejected")
_DRAFT_PLACE = ("source_topic", *PLACE)
_LETTER_PLACE = ("letter_partition", "letter_offset")  # their source is that of the record they are about
_OUTCOME_PLACE = ("outcome_partition", "outcome_offset")
_RUN_PLACE = ("run_partition", "run_offset")

ROW_TABLES = (
    RowTable(
        Upsert("personas", ("persona_id",), keeps="last"),
        ("personas",),
        RecordColumns(PersonaApplied, renamed={"occurred_at": "applied_at"}, left_out=("event_id", "causation_id")).row,
    ),
    RowTable(Upsert("requests", ("event_id",)), ("persona.requests",), RecordColumns(PersonaRequest).row),
    # A draft's event holds all that earlier stages said of it: the furthest makes the row, of equals the earliest.
    RowTable(
        Upsert("drafts", ("draft_id",), rank=("precedence", "event_at", *_DRAFT_PLACE)),
        _DRAFT_TOPICS,
        draft_row,
        _DRAFT_PLACE,
    ),
    # Two decide on one text at once: who is first in the log has decided; see draft_reviews_in_force.
    RowTable(
        Upsert("draft_reviews", ("draft_id", "content_digest", "revision")),
        ("drafts.reviews",),
        RecordColumns(DraftReviewed, renamed={"occurred_at": "reviewed_at"}).row,
    ),
    # The states of a part are counted: the last makes the row, however often it is written.
    RowTable(
        Upsert("publications", ("publication_id", "part"), keeps="last", rank=("sequence", *PLACE)),
        ("posts.states",),
        RecordColumns(PostState, renamed={"occurred_at": "changed_at"}).row,
    ),
    RowTable(Upsert("insights_snapshots", ("event_id",)), ("insights.snapshots",), RecordColumns(InsightsSnapshot).row),
    RowTable(Upsert("platform_notices", ("event_id",)), ("platform.notices",), RecordColumns(PlatformNotice).row),
    # Of a pane the latest update stays, of two taken at one instant the one written later.
    RowTable(
        Upsert(
            "kpi_updates", ("persona_id", "window_name", "pane"), keeps="last", rank=("as_of", "occurred_at", *PLACE)
        ),
        ("kpi.updates",),
        _kpi_row,
    ),
    # What a post had brought at an age is told again when late events change it: the greatest revision makes the row.
    RowTable(
        Upsert("hook_rewards", ("post_id", "age_hours"), keeps="last", rank=("revision", *PLACE)),
        ("hooks.rewards",),
        _reward_row,
    ),
    RowTable(Upsert("savings", ("event_id",)), ("cost.savings",), RecordColumns(CostSaving).row),
    RowTable(
        Upsert("budget_alerts", ("event_id",)),
        ("budget.alerts",),
        RecordColumns(BudgetAlert, left_out=("causation_id",)).row,
    ),
    RowTable(
        Upsert("dead_letters", ("event_id",), rank=_LETTER_PLACE), ("dead.letters",), _dead_letter_row, _LETTER_PLACE
    ),
    RowTable(
        Upsert("dead_outcomes", ("event_id",), rank=_OUTCOME_PLACE),
        ("dead.outcomes",),
        RecordColumns(DeadOutcome).row,
        _OUTCOME_PLACE,
    ),
    # The steps of a run are counted: the last makes the row.
    RowTable(
        Upsert("operation_runs", ("run_id",), keeps="last", rank=("sequence", *_RUN_PLACE)),
        ("operations.runs",),
        RecordColumns(OperationRun).row,
        _RUN_PLACE,
    ),
)
