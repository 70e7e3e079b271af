"""Decoding: a slice of raw records becomes a batch for the stage and the faults of the records that can't be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

import polars as pl
from polars.exceptions import PanicException

from schemas.catalogue import Topic, topic_named
from schemas.codec.columns import ColumnCodec
from schemas.codec.rows import RowCodec
from schemas.errors import DecodeFault
from schemas.records import Record
from schemas.registries.registry import SchemaRegistry
from streams.engine.batch import Batch, ColumnBatch, FetchedRecord, Row, RowBatch, Slice, TopicPartition, offsets_of
from streams.engine.stage import Rejection
from streams.errors import RecordFault, ThreadsError
from streams.kafka.hidden import Hidden, HiddenNow, hidden_by_field, key_of, nothing_hidden
from streams.kafka.record_size import check_size, record_limit
from streams.settings import Settings
from streams.validation import invalid_rows, schema_faults, validate

_value: Callable[[FetchedRecord], bytes | None] = attrgetter("value")


@dataclass(frozen=True, slots=True)
class Decoded:
    """The batch (None when no record is left) and the records that were refused."""

    batch: Batch | None
    rejections: list[Rejection]


class Decoder:
    """Decode and validate slices by the layout that the catalogue gives their topic.

    Records of hidden keys (streams/kafka/hidden.py) are left out, and the tombstones of compacted topics: what they
    mean is for those to know who keep a table of such a topic.
    """

    def __init__(self, registry: SchemaRegistry, settings: Settings, hidden: HiddenNow = nothing_hidden) -> None:
        self._rows = RowCodec(registry)
        self._columns = ColumnCodec(registry)
        self._settings = settings
        self._hidden = hidden
        self._read: set[str] = set()  # topics of which records could be decoded

    def decode(self, part: Slice) -> Decoded:
        """Decode a slice; a record that is no value of its topic's schema, or breaks its rules, is a rejection.

        So is one with which decoding ends in an error that nobody thought of, if others of its topic can be decoded:
        it is found by bisection.

        Raises:
            Unavailable: a record's schema id is not known here, and the registry does not answer.
        """
        try:
            decoded = self._decode(part)
        except ThreadsError:
            raise
        except (Exception, PanicException):
            decoded = self._by_halves(part)
            if decoded.batch is None and part.source.topic not in self._read:
                raise  # no record of it was ever decoded here: the fault need not be theirs
        if decoded.batch is not None:
            self._read.add(part.source.topic)
        return decoded

    def _by_halves(self, part: Slice) -> Decoded:
        """Decode each half on its own, down to the records that can't be; each of these is tried twice."""
        if len(part.records) == 1:
            return self._alone(part)
        halves = part.split(part.records[len(part.records) // 2].offset)
        return _together([self._in_any_case(half) for half in halves if half is not None])

    def _in_any_case(self, part: Slice) -> Decoded:
        try:
            return self._decode(part)
        except ThreadsError:
            raise
        except (Exception, PanicException):  # noqa: BLE001 - whatever it is, the record that has it is found
            return self._by_halves(part)

    def _alone(self, part: Slice) -> Decoded:
        try:
            return self._decode(part)
        except ThreadsError:
            raise
        except (Exception, PanicException) as error:  # noqa: BLE001 - it becomes the record's dead letter
            reason = f"ended its decoding with {type(error).__name__}: {str(error)[:2_000]}; others can be decoded"
            return Decoded(None, [Rejection(part.first_offset, RecordFault(reason, error_class=type(error).__name__))])

    def _decode(self, part: Slice) -> Decoded:
        topic, hidden = topic_named(part.source.topic), self._hidden()
        shown = hidden.shown(topic.name, part.records)
        if not shown:
            return Decoded(None, [])
        decode = self._decode_rows if topic.layout == "rows" else self._decode_columns
        with schema_faults():
            return decode(topic, part.source, shown, hidden)

    def _decode_rows(
        self, topic: Topic, source: TopicPartition, records: Sequence[FetchedRecord], hidden: Hidden
    ) -> Decoded:
        owner = hidden_by_field(topic) if hidden else None
        rows: list[Row[Record]] = []
        rejections: list[Rejection] = []
        for record in records:
            if record.value is None and topic.compacted:
                continue
            try:
                row = self._row(topic, record)
                if owner is None or not hidden.hides(key_of(getattr(row.record, owner)), record.timestamp):
                    rows.append(row)
            except (DecodeFault, RecordFault) as fault:
                rejections.append(Rejection(record.offset, _as_record_fault(fault)))
        return Decoded(RowBatch(source, rows) if rows else None, rejections)

    def _row(self, topic: Topic, record: FetchedRecord) -> Row[Record]:
        value = record.value
        if value is None:
            raise RecordFault(f"{topic.name} expects a value, got a record without one (a tombstone)")
        check_size(topic.name, len(value), self._settings)
        decoded = self._rows.decode(topic, value)
        validate(decoded)
        return Row(record.offset, decoded)

    def _decode_columns(
        self, topic: Topic, source: TopicPartition, shown: Sequence[FetchedRecord], hidden: Hidden
    ) -> Decoded:
        records, rejections = self._of_size(topic, shown)
        decoded = self._columns.decode(topic, [record.value for record in records])
        rejections += [Rejection(records[index].offset, _as_record_fault(fault)) for index, fault in decoded.faults]
        offsets = offsets_of(records)
        frame = decoded.frame.with_columns(pl.Series("offset", offsets[decoded.kept], dtype=pl.Int64))
        invalid = invalid_rows(topic, frame)
        if invalid:
            rejections += [Rejection(int(frame["offset"][row]), RecordFault(reason)) for row, reason in invalid]
            frame = frame.with_row_index("row").filter(~pl.col("row").is_in([row for row, _ in invalid])).drop("row")
        if hidden and topic.owned_by is not None:
            frame = _without_hidden(frame, topic.owned_by, records, hidden)
        return Decoded(ColumnBatch(source, frame) if len(frame) else None, rejections)

    def _of_size(
        self, topic: Topic, records: Sequence[FetchedRecord]
    ) -> tuple[Sequence[FetchedRecord], list[Rejection]]:
        """Sort out records that are too large: what is derived from them could not be written."""
        greatest = max(map(len, filter(None, map(_value, records))), default=0)
        if greatest <= record_limit(topic.name, self._settings):
            return records, []
        kept: list[FetchedRecord] = []
        rejections: list[Rejection] = []
        for record in records:
            try:
                check_size(topic.name, len(record.value or b""), self._settings)
                kept.append(record)
            except RecordFault as fault:
                rejections.append(Rejection(record.offset, fault))
        return kept, rejections


def _without_hidden(frame: pl.DataFrame, owner: str, records: Sequence[FetchedRecord], hidden: Hidden) -> pl.DataFrame:
    """Leave out rows of hidden keys whose record key is another one, as a foreign producer may have it."""
    keys = [key.decode(errors="replace") for key in hidden.before_ms]
    found = frame.filter(pl.col(owner).is_in(keys)).select("offset", owner).rows()
    if not found:
        return frame
    taken_ms = {record.offset: record.timestamp for record in records}
    gone = [offset for offset, key in found if hidden.hides(key.encode(), taken_ms[offset])]
    return frame.filter(~pl.col("offset").is_in(gone))


def _together(halves: Sequence[Decoded]) -> Decoded:
    """Return what was decoded of consecutive slices of one partition as one."""
    batches = [half.batch for half in halves if half.batch is not None]
    rejections = [rejection for half in halves for rejection in half.rejections]
    frames = [batch.frame for batch in batches if isinstance(batch, ColumnBatch)]
    if frames:
        return Decoded(ColumnBatch(batches[0].source, pl.concat(frames)), rejections)
    rows = [row for batch in batches if isinstance(batch, RowBatch) for row in batch.rows]
    return Decoded(RowBatch(batches[0].source, rows) if rows else None, rejections)


def _as_record_fault(fault: DecodeFault | RecordFault) -> RecordFault:
    return fault if isinstance(fault, RecordFault) else RecordFault(str(fault))
