"""Fetched records as the protocol's parser made them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from streams.engine.batch import FetchedRecord


class RawResults(OrderedDict[Any, Any]):
    """Results of aiokafka's fetcher, by partition, that skip making a `ConsumerRecord` of each parsed record.

    A parsed record has the offset, timestamp, key, value and headers that the engine reads (`FetchedRecord`). The
    frozen dataclass with its eleven fields would take about 3 microseconds more, with the interpreter's lock held.
    """

    def __setitem__(self, partition: Any, result: Any) -> None:
        unpacking = getattr(result, "_partition_records", None)  # None for an error
        if unpacking is not None:
            unpacking._consumer_record = _as_parsed  # noqa: SLF001 - aiokafka has no public hook
        super().__setitem__(partition, result)


def _as_parsed(partition: Any, record: FetchedRecord) -> FetchedRecord:
    del partition
    return record
