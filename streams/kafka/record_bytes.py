"""Records whose header names are any bytes: Kafka takes them so, aiokafka's parser only as UTF-8.

A record is `Length, Attributes, TimestampDelta, OffsetDelta, Key, Value, [HeaderName, HeaderValue]`, all but the
attributes as varints and their bytes: https://kafka.apache.org/documentation/#record
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint

HeaderName = str | bytes
"""As records come: text where the bytes are UTF-8, else the bytes."""

_ESCAPED = re.compile(rb"\\(?:x([0-9a-f]{2})|\\)")
_LENGTH = struct.Struct(">8xi")  # of what follows, after a batch's first offset


def name_text(name: HeaderName) -> str:
    r"""Return a header's name as text that any string field holds: `b"n\xe4me"` becomes `n\xe4me`, `a\b` `a\\b`."""
    as_bytes = name if isinstance(name, bytes) else name.encode(errors="surrogatepass")
    return as_bytes.replace(b"\\", b"\\\\").decode(errors="backslashreplace")


def name_bytes(text: str) -> bytes:
    """Return the bytes that `name_text` wrote as text."""
    return _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()) if found[1] else b"\\", text.encode())


class ByteRecord(NamedTuple):
    """A record as aiokafka's parser makes it, but for the names of its headers."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[HeaderName, bytes | None]]
    checksum: None = None


class ByteRecords:
    """Fetched batches, as aiokafka's fetcher reads them.

    Its own fast parser reads each batch; only one in which it meets a header name that is not UTF-8 is read again here.
    """

    def __init__(self, fetched: bytes) -> None:
        self._fetched = memoryview(fetched)
        self._fast = MemoryRecords(fetched)
        self._position = 0

    def has_next(self) -> bool:
        return bool(self._fast.has_next())

    def size_in_bytes(self) -> int:
        return int(self._fast.size_in_bytes())

    def next_batch(self) -> Any:
        """Return the next batch, None when there is none."""
        batch = self._fast.next_batch()
        if batch is None:
            return None
        start = self._position
        self._position += _LENGTH.size + _LENGTH.unpack_from(self._fetched, start)[0]
        if not isinstance(batch, DefaultRecordBatch) or batch.is_control_batch:
            return batch  # older formats have no headers
        return _Batch(batch, self._fetched[start : self._position])


class _Batch:
    """A batch of records; all but the records is the parser's own."""

    def __init__(self, batch: Any, content: memoryview) -> None:
        self._batch = batch
        self._content = content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._batch))
        except UnicodeDecodeError:
            return _read_again(self._content)


def _read_again(content: memoryview) -> Iterator[ByteRecord]:
    batch = _DefaultRecordBatchPy(content)
    batch._maybe_uncompress()  # noqa: SLF001 - the only way to its records but the parser itself
    cursor = _Cursor(batch._buffer, batch._pos)  # noqa: SLF001
    for _ in range(batch._num_records):  # noqa: SLF001
        yield _record(cursor, batch)


class _Cursor:
    """A place in the bytes of a batch."""

    def __init__(self, content: bytearray, position: int) -> None:
        self._content = content
        self._position = position

    def number(self) -> int:
        value, self._position = decode_varint(self._content, self._position)
        return int(value)

    def data(self) -> bytes | None:
        """Read a length and so many bytes; a negative length is None."""
        length = self.number()
        if length < 0:
            return None
        start, self._position = self._position, self._position + length
        return bytes(self._content[start : self._position])


def _record(cursor: _Cursor, batch: Any) -> ByteRecord:
    cursor.number()  # the length, which the fast parser has checked as far as it came
    cursor.number()  # attributes: none are defined
    delta_ms, offset_delta = cursor.number(), cursor.number()
    is_append_time = batch.timestamp_type == batch.LOG_APPEND_TIME
    timestamp = batch.max_timestamp if is_append_time else batch.first_timestamp + delta_ms
    key, value = cursor.data(), cursor.data()
    headers = [(_name(cursor.data() or b""), cursor.data()) for _ in range(cursor.number())]
    return ByteRecord(batch.base_offset + offset_delta, timestamp, batch.timestamp_type, key, value, headers)


def _name(name: bytes) -> HeaderName:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name


def take_any_header_name() -> None:
    """Have every consumer of this process read header names of any bytes; aiokafka has no setting for it."""
    fetcher.MemoryRecords = ByteRecords
