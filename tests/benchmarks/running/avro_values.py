"""Fast encoding of events: columns of EngagementEvent to Avro bodies, a chunk at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schemas.codec.column_encoder import Column, ColumnEncoder, Constant
from schemas.definitions import definition
from schemas.records import EngagementEvent
from tests.benchmarks.job import KINDS, persona_name, post_name
from tests.benchmarks.running.workload import ID_BYTES, Segment

CHUNK_EVENTS = 50_000
SOURCE = "simulated"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive events as they are sent: Avro bodies without any framing, and each one's persona (an index)."""

    bodies: list[bytes]
    personas: npt.NDArray[np.int64]


class EventEncoder:
    """Encode columns of engagement events, names of personas being those of the job."""

    def __init__(self) -> None:
        self._columns = ColumnEncoder(definition(EngagementEvent.schema_name))
        self._personas: list[str] = []

    def chunk(self, personas: npt.NDArray[np.int64], columns: Mapping[str, Column]) -> Chunk:
        """Return a chunk of events; `columns` are those of the schema, but for persona, source and simulated."""
        known, most = len(self._personas), int(personas.max())
        self._personas += [persona_name(index) for index in range(known, most + 1)]
        bodies = self._columns.encode(
            {
                "persona_id": [self._personas[index] for index in personas.tolist()],
                "source": Constant(SOURCE),
                "simulated": Constant(value=True),
                **columns,
            }
        )
        return Chunk(bodies, personas)


def encode(segment: Segment) -> Iterator[Chunk]:
    """Yield the events in sending order, as bodies of the EngagementEvent schema (a test decodes them again)."""
    encoder = EventEncoder()
    posts = [post_name(index) for index in range(int(segment.post.max()) + 1)]
    for begin in range(0, len(segment.order), CHUNK_EVENTS):
        chosen = segment.order[begin : begin + CHUNK_EVENTS]
        yield encoder.chunk(
            segment.persona[chosen],
            {
                "event_id": uuid_texts(segment.ids[chosen]),
                "occurred_at": segment.occurred_ms[chosen],
                "post_id": [posts[index] for index in segment.post[chosen].tolist()],
                "kind": [KINDS[index] for index in segment.kind[chosen].tolist()],
                "count": segment.count[chosen],
            },
        )


def uuid_texts(ids: npt.NDArray[np.uint8]) -> list[str]:
    """Return ids of 16 bytes a row in the usual text form of a UUID."""
    digits = ids.tobytes().hex()
    step = 2 * ID_BYTES
    whole = [digits[at : at + step] for at in range(0, len(digits), step)]
    return ["-".join((one[:8], one[8:12], one[12:16], one[16:20], one[20:])) for one in whole]
