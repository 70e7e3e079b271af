"""Avro's primitive values as bytes: a number, or a whole column of numbers or texts at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Longs = npt.NDArray[np.int64]

_VARINT_BITS = 7
_LONG_BITS = 64
_MORE = 0x80
_LIMIT = 1 << (_LONG_BITS - 1)
LEAST_COLUMN = 32  # below this many numbers, arrays take longer than one after the other


def encoded_long(number: int) -> bytes:
    """Return a number as Avro writes ints, longs, lengths and enums: zigzag, then base 128, the least group first."""
    rest = (number << 1) ^ (number >> 63)
    out = bytearray()
    while rest >= _MORE:
        out.append(rest & (_MORE - 1) | _MORE)
        rest >>= _VARINT_BITS
    out.append(rest)
    return bytes(out)


_LENGTHS = [encoded_long(length) for length in range(4096)]


def encoded_text(value: str) -> bytes:
    """Return a text as Avro writes strings: its length in bytes, then UTF-8.

    Raises:
        TypeError: it is no text.
        ValueError: it holds half a surrogate pair, which UTF-8 can't hold.
    """
    encoded = str.encode(value)
    length = len(encoded)
    return (_LENGTHS[length] if length < len(_LENGTHS) else encoded_long(length)) + encoded


def encoded_longs(numbers: Sequence[int] | Longs) -> list[bytes]:
    """Return numbers as Avro writes them, one after the other; as `encoded_long` does, forty times as fast.

    Raises:
        ValueError: one is no integer of 64 bits.
    """
    if len(numbers) < LEAST_COLUMN and all(type(number) is int and -_LIMIT <= number < _LIMIT for number in numbers):
        return list(map(encoded_long, numbers))
    column = np.asarray(numbers)
    if column.dtype.kind != "i":
        raise ValueError("expected integers from -2^63 to 2^63-1")
    signed = column.astype(np.int64)
    zigzag = ((signed << np.int64(1)) ^ (signed >> np.int64(_LONG_BITS - 1))).view(np.uint64)
    widths = np.ones(len(signed), dtype=np.int64)
    for bits in range(_VARINT_BITS, _LONG_BITS, _VARINT_BITS):
        widths += (zigzag >> np.uint64(bits)) > 0
    width = int(widths.max())
    groups = np.empty((len(signed), width), dtype=np.uint8)
    for place in range(width):
        groups[:, place] = (zigzag >> np.uint64(_VARINT_BITS * place)) & np.uint64(_MORE - 1)
        groups[:, place] |= np.where(place < widths - 1, _MORE, 0).astype(np.uint8)
    flat = groups.tobytes()
    return [flat[at : at + size] for at, size in zip(range(0, len(flat), width), widths.tolist(), strict=True)]
