"""The column codec: a slice of one topic's values to a Polars frame, in one pass, with the poison taken out.

Three steps a slice: numpy checks the frames (magic byte, schema id) and the layout of all bodies, what is good is
read by Polars as one Avro container, and the columns of the writer are projected to those of the reader.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import polars as pl
from polars.exceptions import PanicException, PolarsError

from schemas.catalogue import Topic
from schemas.codec.avro_container import Block, Container, container_of
from schemas.codec.avro_layout import Layout, UnsupportedLayout, layout_of
from schemas.codec.avro_types import Record, parse_type
from schemas.codec.flat_schema import flat_schema
from schemas.codec.projection import Projection, projection_of, reader_dtypes
from schemas.codec.rows import RowCodec
from schemas.codec.wire_format import HEADER_BYTES, MAGIC, described, schema_id_of
from schemas.definitions import working_record
from schemas.errors import DecodeFault, Unresolvable, UnusableSchema
from schemas.registries.known_writers import KnownWriters
from schemas.registries.registry import RegisteredSchema, SchemaRegistry

Indices = npt.NDArray[np.int64]

_head: Callable[[bytes], bytes] = itemgetter(slice(0, HEADER_BYTES))

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


@dataclass(frozen=True, slots=True)
class _Group:
    """Framed values of one writer schema, and their places in the slice."""

    topic: Topic
    schema_id: int
    values: Sequence[bytes]
    places: Indices

    def chosen(self, numbers: npt.NDArray[np.intp]) -> _Group:
        values = [self.values[number] for number in numbers.tolist()]
        return _Group(self.topic, self.schema_id, values, self.places[numbers])

    def halves(self) -> tuple[_Group, _Group]:
        numbers = np.arange(len(self.values))
        half = len(numbers) // 2
        return self.chosen(numbers[:half]), self.chosen(numbers[half:])


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
        for group in _grouped_by_schema(topic, values, parts):
            self._decode_group(group, parts)
        frame, kept = _in_order(parts, reader_dtypes(working_record(topic.record.schema_name)))
        parts.faults.sort(key=itemgetter(0))
        return ColumnSlice(frame if columns is None else frame.select(columns), kept, parts.faults)

    def _decode_group(self, group: _Group, parts: _Parts) -> None:
        """Decode values of one writer schema; what does not fit its layout is set aside, the others are read."""
        try:
            plan = self._plan(group.topic, group.schema_id)
        except DecodeFault as fault:
            parts.faults += [(place, fault) for place in group.places.tolist()]
            return
        if plan is None:
            self._decode_one_by_one(group, parts)
            return
        block = plan.container.filled(group.values)
        data = np.frombuffer(block.text, dtype=np.uint8)
        faults = plan.layout.first_faults(data, block.starts + HEADER_BYTES, block.ends)
        bad = np.flatnonzero(faults >= 0)
        if not len(bad):
            self._read(plan, block, group, parts)
            return
        for number in bad.tolist():
            message = _layout_fault(group, plan.layout, int(faults[number]), group.values[number])
            parts.faults.append((int(group.places[number]), DecodeFault(message)))
        self._fill_and_read(plan, group.chosen(np.flatnonzero(faults < 0)), parts)

    def _fill_and_read(self, plan: _Plan, group: _Group, parts: _Parts) -> None:
        if group.values:
            self._read(plan, plan.container.filled(group.values), group, parts)

    def _read(self, plan: _Plan, block: Block, group: _Group, parts: _Parts) -> None:
        """Read a block of good layout; only text that is no UTF-8 is left to go wrong, and is searched by halves."""
        try:
            frame = plan.container.read(block)
        except (PolarsError, PanicException):
            if len(group.values) <= SMALLEST_SPLIT:
                self._decode_one_by_one(group, parts)
                return
            for half in group.halves():
                self._fill_and_read(plan, half, parts)
            return
        places = group.places
        if plan.projection.refused is not None:
            refused = frame.select(plan.projection.refused.alias("refused"))["refused"].to_numpy()
            if refused.any():
                self._decode_one_by_one(group.chosen(np.flatnonzero(refused)), parts)
                good = np.flatnonzero(~refused)
                frame, places = frame[good], places[good]
        parts.frames.append(frame.select(plan.projection.columns))
        parts.places.append(places)

    def _decode_one_by_one(self, group: _Group, parts: _Parts) -> None:
        rows: list[dict[str, Any]] = []
        kept: list[int] = []
        for place, value in zip(group.places.tolist(), group.values, strict=True):
            try:
                rows.append(self._rows.decode_plain(group.topic, value))
            except DecodeFault as fault:
                parts.faults.append((place, fault))
            else:
                kept.append(place)
        if rows:
            schema = reader_dtypes(working_record(group.topic.record.schema_name))
            parts.frames.append(pl.DataFrame(rows, schema=schema, orient="row"))
            parts.places.append(np.array(kept, dtype=np.int64))

    def _plan(self, topic: Topic, schema_id: int) -> _Plan | None:
        """Return how to decode a writer schema, None for one whose records are decoded one by one."""
        key = (topic.name, schema_id)
        if key not in self._plans:
            self._plans[key] = _planned(topic, self._writers.writer(topic, schema_id))
        return self._plans[key]


def _planned(topic: Topic, registered: RegisteredSchema) -> _Plan | None:
    try:
        writer = parse_type(registered.schema, registered.references)
        if not isinstance(writer, Record):
            return None
        flat = flat_schema(writer)
        return _Plan(
            layout_of(flat), container_of(flat), projection_of(writer, working_record(topic.record.schema_name))
        )
    except (UnsupportedLayout, UnusableSchema, Unresolvable):
        return None


def _grouped_by_schema(topic: Topic, values: Sequence[bytes | None], parts: _Parts) -> list[_Group]:
    """Return the values of each schema id; values that name none become faults."""
    try:
        heads = set(map(_head, cast("Sequence[bytes]", values)))
    except TypeError:  # one of them is None
        heads = set()
    if len(heads) == 1 and len(head := heads.pop()) == HEADER_BYTES and head.startswith(MAGIC):
        everywhere = np.arange(len(values), dtype=np.int64)
        return [_Group(topic, schema_id_of(head), cast("Sequence[bytes]", values), everywhere)]
    groups: dict[int, list[int]] = {}
    for place, value in enumerate(values):
        try:
            groups.setdefault(schema_id_of(value), []).append(place)
        except DecodeFault as fault:
            parts.faults.append((place, fault))
    return [
        _Group(topic, schema_id, [cast("bytes", values[place]) for place in places], np.array(places, dtype=np.int64))
        for schema_id, places in groups.items()
    ]


def _in_order(parts: _Parts, schema: dict[str, pl.DataType]) -> tuple[pl.DataFrame, Indices]:
    if not parts.frames:
        return pl.DataFrame(schema=schema), np.empty(0, dtype=np.int64)
    if len(parts.frames) == 1:
        return parts.frames[0], parts.places[0]
    frame, kept = pl.concat(parts.frames), np.concatenate(parts.places)
    order = np.argsort(kept)
    return frame[order], kept[order]


def _layout_fault(group: _Group, layout: Layout, number: int, value: bytes) -> str:
    where = f"at field {layout.fields[number]!r}" if number < len(layout.fields) else "behind the last field"
    return (
        f"expected a body of {group.topic.record.schema_name} (schema id {group.schema_id}), got {described(value)}, "
        f"which does not fit {where}; check that the producer writes with the schema of this id"
    )
