"""Screening: what PostgreSQL can't hold is found before it is sent, so that one record never spoils a COPY.

Limits: text holds no NUL character; an index entry has at most 2,704 bytes, so an id has at most MAX_ID_BYTES, two fit;
times are in the years 1 to 9999, which Python, Polars and PostgreSQL all read; jsonb has no NaN.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import polars as pl

from schemas.records import DeadLetter, Record
from sinks.sink import Screened
from streams.engine.batch import Batch, ColumnBatch, RowBatch
from streams.engine.stage import Rejection
from streams.errors import RecordFault

MAX_ID_BYTES = 1_000
FIRST_MS = -62_135_596_800_000  # 0001-01-01T00:00:00.000Z
LAST_MS = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z
ID_FIELDS = frozenset({"event_id", "persona_id", "post_id", "draft_id", "source_topic", "window"})
_NUL = "\x00"


def screen(batch: Batch) -> Screened:
    """Split a batch into the records that PostgreSQL can hold and the others, each with its reason."""
    return _screen_columns(batch) if isinstance(batch, ColumnBatch) else _screen_rows(batch)


def _screen_columns(batch: ColumnBatch) -> Screened:
    frame = batch.frame
    faults = {
        f"{name} holds a NUL character": pl.col(name).str.contains(_NUL, literal=True)
        for name, kind in frame.schema.items()
        if kind == pl.String
    }
    for name in sorted(ID_FIELDS & set(frame.columns)):
        faults[f"{name} is longer than {MAX_ID_BYTES} bytes"] = pl.col(name).str.len_bytes() > MAX_ID_BYTES
    faults["occurred_at is outside the years 1 to 9999"] = ~pl.col("occurred_at").is_between(FIRST_MS, LAST_MS)
    if not any(frame.select(pl.any_horizontal(fault.any() for fault in faults.values())).row(0)):
        return Screened(batch)
    reason = pl.coalesce(*(pl.when(fault).then(pl.lit(text)) for text, fault in faults.items()))
    marked = frame.with_columns(reason.alias("reason"))
    refused = marked.filter(pl.col("reason").is_not_null())
    rejections = tuple(_rejection(offset, why) for offset, why in refused.select("offset", "reason").iter_rows())
    kept = marked.filter(pl.col("reason").is_null()).drop("reason")
    return Screened(ColumnBatch(batch.source, kept) if len(kept) else None, rejections)


def _screen_rows(batch: RowBatch[Any]) -> Screened:
    rows, rejections = [], []
    for row in batch.rows:
        why = next(_faults(row.record), None)
        if why is None:
            rows.append(row)
        else:
            rejections.append(_rejection(row.offset, why))
    if not rejections:
        return Screened(batch)
    return Screened(RowBatch(batch.source, rows) if rows else None, tuple(rejections))


def _faults(record: Record) -> Iterator[str]:
    if isinstance(record, DeadLetter):  # refusing a dead letter for its text would only make another; see row_tables.py
        for name in ("event_id", "source_topic"):
            if len(getattr(record, name).encode()) > MAX_ID_BYTES:
                yield f"{name} is longer than {MAX_ID_BYTES} bytes"
        return
    for field in fields(record):
        yield from _value_faults(field.name, getattr(record, field.name))


def _value_faults(name: str, value: object) -> Iterator[str]:
    if isinstance(value, str):
        if _NUL in value:
            yield f"{name} holds a NUL character"
        if name in ID_FIELDS and len(value.encode()) > MAX_ID_BYTES:
            yield f"{name} is longer than {MAX_ID_BYTES} bytes"
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield f"{name} is {value}, not a finite number"
    elif isinstance(value, Record):
        yield from (
            f"{name}.{fault}"
            for field in fields(value)
            for fault in _value_faults(field.name, getattr(value, field.name))
        )
    elif isinstance(value, tuple) and name != "embedding":
        yield from (fault for item in value for fault in _value_faults(name, item))


def _rejection(offset: int, why: str) -> Rejection:
    return Rejection(offset, RecordFault(f"PostgreSQL can't hold this record: {why}; correct it and send it again"))
