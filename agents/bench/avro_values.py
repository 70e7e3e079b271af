"""Fast encoding of the workload: Avro bodies pieced together from parts that are encoded once for all events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agents.bench.workload import ID_BYTES, KINDS, Workload, persona_name, post_name
from schemas.definitions import definition
from schemas.records import EngagementEvent

CHUNK_EVENTS = 50_000
SOURCE = "simulated"
TIME_BYTES = 6  # of a zigzag varint of the milliseconds of 1971 to 2038
NULL, SECOND_BRANCH, TRUE = b"\x00", b"\x02", b"\x01"
_VARINT_BITS = 7
_MORE = 0x80


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive events as they are sent: Avro bodies without any framing, and each one's persona (an index)."""

    bodies: list[bytes]
    personas: npt.NDArray[np.int64]


def varint(number: int) -> bytes:
    """Return a number as Avro writes ints and longs: zigzag, then base 128 with the least group first."""
    rest = (number << 1) ^ (number >> 63)
    out = bytearray()
    while rest >= _MORE:
        out.append(rest & (_MORE - 1) | _MORE)
        rest >>= _VARINT_BITS
    out.append(rest)
    return bytes(out)


def text(value: str) -> bytes:
    """Return a string as Avro writes it: its length in bytes, then UTF-8."""
    encoded = value.encode()
    return varint(len(encoded)) + encoded


def kind_symbols() -> list[str]:
    """Return the symbols of the schema's kind field, in the schema's order."""
    fields = definition(EngagementEvent.schema_name)["fields"]
    return list(next(field for field in fields if field["name"] == "kind")["type"]["symbols"])


def encode(workload: Workload) -> Iterator[Chunk]:
    """Yield the events in sending order, as bodies of the EngagementEvent schema (a test decodes them again)."""
    symbols = kind_symbols()
    personas = [text(persona_name(index)) + NULL for index in range(int(workload.persona.max()) + 1)]
    posts = [SECOND_BRANCH + text(post_name(index)) for index in range(int(workload.post.max()) + 1)]
    kinds = [varint(symbols.index(kind)) for kind in KINDS]
    tail = text(SOURCE) + TRUE
    ends = [varint(count) + tail for count in range(int(workload.count.max()) + 1)]
    id_length = varint(len(uuid_texts(workload.ids[:1])[0]))
    for begin in range(0, len(workload.order), CHUNK_EVENTS):
        chosen = workload.order[begin : begin + CHUNK_EVENTS]
        columns = zip(
            uuid_texts(workload.ids[chosen]),
            time_varints(workload.occurred_ms[chosen]),
            workload.persona[chosen].tolist(),
            workload.post[chosen].tolist(),
            workload.kind[chosen].tolist(),
            workload.count[chosen].tolist(),
            strict=True,
        )
        bodies = [
            b"".join((id_length, event_id, at, personas[who], posts[post], kinds[kind], ends[count]))
            for event_id, at, who, post, kind, count in columns
        ]
        yield Chunk(bodies, workload.persona[chosen])


def uuid_texts(ids: npt.NDArray[np.uint8]) -> list[bytes]:
    """Return ids of 16 bytes a row in the usual text form of a UUID, as ASCII."""
    digits = ids.tobytes().hex().encode()
    step = 2 * ID_BYTES
    whole = [digits[at : at + step] for at in range(0, len(digits), step)]
    return [b"-".join((one[:8], one[8:12], one[12:16], one[16:20], one[20:])) for one in whole]


def time_varints(times_ms: npt.NDArray[np.int64]) -> list[bytes]:
    """Return times in milliseconds as Avro longs of TIME_BYTES bytes each.

    Raises:
        ValueError: a time lies outside the years that fit.
    """
    zigzag = times_ms.astype(np.uint64) << np.uint64(1)
    low, high = 1 << _VARINT_BITS * (TIME_BYTES - 1), 1 << _VARINT_BITS * TIME_BYTES
    if (times_ms < 0).any() or (zigzag < low).any() or (zigzag >= high).any():
        raise ValueError(f"times must take {TIME_BYTES} bytes: milliseconds of the years 1971 to 2038")
    groups = np.empty((len(times_ms), TIME_BYTES), dtype=np.uint8)
    for position in range(TIME_BYTES):
        more = _MORE if position < TIME_BYTES - 1 else 0
        groups[:, position] = (zigzag >> np.uint64(_VARINT_BITS * position)) & np.uint64(_MORE - 1) | np.uint64(more)
    flat = groups.tobytes()
    return [flat[at : at + TIME_BYTES] for at in range(0, len(flat), TIME_BYTES)]
