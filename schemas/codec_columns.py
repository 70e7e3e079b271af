"""The column codec: a slice of one topic's values to a Polars frame, in one pass, with the poison taken out.

Three steps a slice: numpy checks the frames (magic byte, schema id) and the layout of all bodies, what is good is
read by Polars as one Avro container, and the columns of the writer are projected to those of the reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from polars.exceptions import PanicException, PolarsError

from schemas.avro_container import Container, container_of
from schemas.avro_layout import PADDING_BYTES, Layout, UnsupportedLayout, layout_of
from schemas.catalogue import Topic
from schemas.codec_rows import RowCodec
from schemas.definitions import definition
from schemas.errors import DecodeFault
from schemas.known_writers import KnownWriters
from schemas.projection import Projection, projection_of, reader_dtypes
from schemas.registry import SchemaRegistry
from schemas.wire_format import HEADER_BYTES, described, schema_id_of

Indices = npt.NDArray[np.int64]

SMALLEST_SPLIT = 64  # records; below this a slice with bad text is decoded one by one


@dataclass(frozen=True, slots=True)
class ColumnSlice:
    """The good records of a slice in order, their places in it, and the faults of the others (place, fault)."""

    frame: pl.DataFrame
    kept: Indices
    faults: list[tuple[int, DecodeFault]]


@dataclass(frozen=True, slots=True)
class _Plan:
    """How values of one writer schema become reader columns."""

    layout: Layout
    container: Container
    projection: Projection


@dataclass(slots=True)
class _Parts:
    """What has been decoded of a slice so far."""

    frames: list[pl.DataFrame] = field(default_factory=list)
    places: list[Indices] = field(default_factory=list)
    faults: list[tuple[int, DecodeFault]] = field(default_factory=list)


class ColumnCodec:
    """Decode slices of topics with flat schemas to frames."""

    def __init__(self, registry: SchemaRegistry) -> None:
        self._writers = KnownWriters(registry)
        self._rows = RowCodec(registry)
        self._plans: dict[tuple[str, int], _Plan | None] = {}

    def decode(self, topic: Topic, values: Sequence[bytes | None], columns: Sequence[str] | None = None) -> ColumnSlice:
        """Return the reader's columns (or those named in `columns`) of all good values, in order.

        Enums are String columns, timestamp-millis Int64 milliseconds. Each value that is no record of the topic is a
        fault at its place and leaves its neighbours untouched.

        Raises:
            RegistryUnavailable: a schema id is not known here and the registry does not answer.

        """
        parts = _Parts()
        by_schema = _grouped_by_schema(values, parts)
        for schema_id, places in by_schema:
            self._decode_group(topic, schema_id, values, places, parts)
        frame, kept = _in_order(parts, reader_dtypes(definition(topic.record.schema_name)))
        parts.faults.sort(key=lambda each: each[0])
        return ColumnSlice(frame if columns is None else frame.select(columns), kept, parts.faults)

    def _decode_group(
        self, topic: Topic, schema_id: int, values: Sequence[bytes | None], places: Indices, parts: _Parts
    ) -> None:
        try:
            plan = self._plan(topic, schema_id)
        except DecodeFault as fault:
            parts.faults += [(int(place), fault) for place in places]
            return
        group = [value for value in _at(values, places) if value is not None]
        if plan is None:
            self._decode_one_by_one(topic, group, places, parts)
            return
        data, starts, ends = _joined(group)
        faults = plan.layout.first_faults(np.frombuffer(data, dtype=np.uint8), starts + HEADER_BYTES, ends)
        bad = np.flatnonzero(faults >= 0)
        if len(bad):
            for number in bad:
                message = _layout_fault(topic, schema_id, plan.layout, int(faults[number]), group[number])
                parts.faults.append((int(places[number]), DecodeFault(message)))
            good = np.flatnonzero(faults < 0)
            group, places = [group[number] for number in good], places[good]
        self._read(topic, plan, group, places, parts)

    def _read(self, topic: Topic, plan: _Plan, group: list[bytes], places: Indices, parts: _Parts) -> None:
        """Read values with a good layout; only text that is no UTF-8 is left to go wrong, and is searched by halves."""
        if not group:
            return
        try:
            frame = plan.container.read(b"".join(group), len(group))
        except (PolarsError, PanicException):
            if len(group) <= SMALLEST_SPLIT:
                self._decode_one_by_one(topic, group, places, parts)
                return
            half = len(group) // 2
            self._read(topic, plan, group[:half], places[:half], parts)
            self._read(topic, plan, group[half:], places[half:], parts)
            return
        if plan.projection.refused is not None:
            refused = frame.select(plan.projection.refused.alias("refused"))["refused"].to_numpy()
            if refused.any():
                bad, good = np.flatnonzero(refused), np.flatnonzero(~refused)
                self._decode_one_by_one(topic, [group[number] for number in bad], places[bad], parts)
                frame, places = frame[good], places[good]
        parts.frames.append(frame.select(plan.projection.columns))
        parts.places.append(places)

    def _decode_one_by_one(self, topic: Topic, group: Sequence[bytes], places: Indices, parts: _Parts) -> None:
        rows: list[dict[str, Any]] = []
        kept: list[int] = []
        for place, value in zip(places.tolist(), group, strict=True):
            try:
                rows.append(self._rows.decode_plain(topic, value))
            except DecodeFault as fault:
                parts.faults.append((place, fault))
            else:
                kept.append(place)
        if rows:
            schema = reader_dtypes(definition(topic.record.schema_name))
            parts.frames.append(pl.DataFrame(rows, schema=schema, orient="row"))
            parts.places.append(np.array(kept, dtype=np.int64))

    def _plan(self, topic: Topic, schema_id: int) -> _Plan | None:
        """Return how to decode a writer schema, None for one whose records are decoded one by one."""
        key = (topic.name, schema_id)
        if key not in self._plans:
            writer = self._writers.writer(topic, schema_id).schema
            reader = definition(topic.record.schema_name)
            try:
                self._plans[key] = _Plan(layout_of(writer), container_of(writer), projection_of(writer, reader))
            except UnsupportedLayout:
                self._plans[key] = None
        return self._plans[key]


def _at(values: Sequence[bytes | None], places: Indices) -> Sequence[bytes | None]:
    return values if len(places) == len(values) else [values[place] for place in places]


def _joined(values: Sequence[bytes]) -> tuple[bytes, Indices, Indices]:
    """Return the values one behind the other with padding, and where each starts and ends."""
    lengths = np.fromiter(map(len, values), dtype=np.int64, count=len(values))
    ends = np.cumsum(lengths)
    return b"".join((*values, bytes(PADDING_BYTES))), ends - lengths, ends


def _grouped_by_schema(values: Sequence[bytes | None], parts: _Parts) -> list[tuple[int, Indices]]:
    """Return the places of each schema id; values that name none become faults."""
    if not values:
        return []
    data, starts, ends = _joined([value or b"" for value in values])
    head = np.frombuffer(data, dtype=np.uint8)[starts[:, None] + np.arange(HEADER_BYTES)]
    good = (ends - starts >= HEADER_BYTES) & (head[:, 0] == 0)
    for place in np.flatnonzero(~good).tolist():
        try:
            schema_id_of(values[place])
        except DecodeFault as fault:
            parts.faults.append((place, fault))
    schema_ids = np.ascontiguousarray(head[:, 1:]).view(">u4").ravel()
    return [(int(each), np.flatnonzero(good & (schema_ids == each))) for each in np.unique(schema_ids[good])]


def _in_order(parts: _Parts, schema: dict[str, pl.DataType]) -> tuple[pl.DataFrame, Indices]:
    if not parts.frames:
        return pl.DataFrame(schema=schema), np.empty(0, dtype=np.int64)
    if len(parts.frames) == 1:
        return parts.frames[0], parts.places[0]
    frame, kept = pl.concat(parts.frames), np.concatenate(parts.places)
    order = np.argsort(kept)
    return frame[order], kept[order]


def _layout_fault(topic: Topic, schema_id: int, layout: Layout, number: int, value: bytes) -> str:
    where = f"at field {layout.fields[number]!r}" if number < len(layout.fields) else "behind the last field"
    return (
        f"expected a body of {topic.record.schema_name} (schema id {schema_id}), got {described(value)}, "
        f"which does not fit {where}; check that the producer writes with the schema of this id"
    )
