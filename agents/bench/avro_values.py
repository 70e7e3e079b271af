"""Fast encoding of the workload: columns of EngagementEvent to Avro bodies, a chunk at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agents.bench.workload import ID_BYTES, KINDS, Workload, persona_name, post_name
from schemas.column_encoder import ColumnEncoder, Constant
from schemas.definitions import definition
from schemas.records import EngagementEvent

CHUNK_EVENTS = 50_000
SOURCE = "simulated"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive events as they are sent: Avro bodies without any framing, and each one's persona (an index)."""

    bodies: list[bytes]
    personas: npt.NDArray[np.int64]


def encode(workload: Workload) -> Iterator[Chunk]:
    """Yield the events in sending order, as bodies of the EngagementEvent schema (a test decodes them again)."""
    encoder = ColumnEncoder(definition(EngagementEvent.schema_name))
    personas = [persona_name(index) for index in range(int(workload.persona.max()) + 1)]
    posts = [post_name(index) for index in range(int(workload.post.max()) + 1)]
    for begin in range(0, len(workload.order), CHUNK_EVENTS):
        chosen = workload.order[begin : begin + CHUNK_EVENTS]
        bodies = encoder.encode(
            {
                "event_id": uuid_texts(workload.ids[chosen]),
                "occurred_at": workload.occurred_ms[chosen],
                "persona_id": [personas[index] for index in workload.persona[chosen].tolist()],
                "post_id": [posts[index] for index in workload.post[chosen].tolist()],
                "kind": [KINDS[index] for index in workload.kind[chosen].tolist()],
                "count": workload.count[chosen],
                "source": Constant(SOURCE),
                "simulated": Constant(value=True),
            }
        )
        yield Chunk(bodies, workload.persona[chosen])


def uuid_texts(ids: npt.NDArray[np.uint8]) -> list[str]:
    """Return ids of 16 bytes a row in the usual text form of a UUID."""
    digits = ids.tobytes().hex()
    step = 2 * ID_BYTES
    whole = [digits[at : at + step] for at in range(0, len(digits), step)]
    return ["-".join((one[:8], one[8:12], one[12:16], one[16:20], one[20:])) for one in whole]
