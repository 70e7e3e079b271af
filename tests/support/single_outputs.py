"""Outputs one by one: those that a stage gives as columns are written and read as they go over the wire."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from schemas.catalogue import topic_named
from schemas.codec.column_writer import ColumnWriter
from schemas.codec.rows import RowCodec
from schemas.registries.registry import open_registry
from streams.engine.stage import Output, OutputColumns

_REGISTRY = open_registry(None)
_WRITER = ColumnWriter(_REGISTRY)
_READER = RowCodec(_REGISTRY)


def single(outputs: Iterable[Output | OutputColumns]) -> Iterator[Output]:
    """Yield each record as an output of its own."""
    for output in outputs:
        if isinstance(output, Output):
            yield output
            continue
        topic = topic_named(output.topic)
        for value in _WRITER.encode(topic, output.columns):
            yield Output(output.topic, _READER.decode(topic, value))
