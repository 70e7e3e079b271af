"""Comparing: the points of two versions of a collection, by their ids, payloads and vectors."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from sinks.qdrant.sink import DraftPoint

Kind = Literal["live", "rebuilt", "different"]
KINDS: Mapping[Kind, str] = {
    "live": "only live has it: its record is no longer in the log, or never was",
    "rebuilt": "only the rebuilt version has it: the sink is behind, or live lost it",
    "different": "both have it, not alike",
}
SAMPLE_POINTS = 5
CLOSE_LOOKS = 2_000  # points that are read again as a whole; where more differ it is more than rounding
ROUNDING = 1e-6  # an engine may sum a vector's squares in another order, in 32 bits

Digests = Mapping[str, bytes]
"""What a point is, by its id: 16 bytes, so that a million points of two versions take some 300 MB."""


@dataclass(frozen=True, slots=True)
class CollectionComparison:
    """What was found of a collection: how many points both versions have, and the ids of those that differ by kind."""

    collection: str
    live_points: int
    rebuilt_points: int
    differing: Mapping[Kind, Sequence[str]] = field(default_factory=dict)

    def without(self, close: Collection[str]) -> CollectionComparison:
        """Return the comparison without points that a closer look found to be the same."""
        left = {kind: [each for each in ids if each not in close] for kind, ids in self.differing.items()}
        return replace(self, differing={kind: ids for kind, ids in left.items() if ids})

    @property
    def equal(self) -> bool:
        """Tell whether no point differs."""
        return not self.differing


def digest(point: DraftPoint) -> bytes:
    """Return what tells a point from any other: of its payload and of its vector as the store has it, 32 bits each."""
    payload = json.dumps(point.payload, sort_keys=True, ensure_ascii=False).encode()
    vector = struct.pack(f"<{len(point.vector)}f", *point.vector)
    return hashlib.blake2b(vector, digest_size=16, key=hashlib.blake2b(payload, digest_size=32).digest()).digest()


def is_close(one: DraftPoint, other: DraftPoint) -> bool:
    """Tell whether two points are the same but for the rounding of their vectors."""
    return (
        one.payload == other.payload
        and len(one.vector) == len(other.vector)
        and all(abs(a - b) <= ROUNDING for a, b in zip(one.vector, other.vector, strict=True))
    )


async def points_of(pages: AsyncIterator[Sequence[DraftPoint]], ids: Collection[str]) -> dict[str, DraftPoint]:
    """Return the points of these ids."""
    return {point.point_id: point async for page in pages for point in page if point.point_id in ids}


async def digests(pages: AsyncIterator[Sequence[DraftPoint]]) -> Digests:
    """Return the digests of all points of a collection."""
    return {point.point_id: digest(point) async for page in pages for point in page}


def compare(collection: str, live: Digests, rebuilt: Digests) -> CollectionComparison:
    """Compare two versions of a collection."""
    found: dict[Kind, list[str]] = {
        "live": sorted(live.keys() - rebuilt.keys()),
        "rebuilt": sorted(rebuilt.keys() - live.keys()),
        "different": sorted(each for each in live.keys() & rebuilt.keys() if live[each] != rebuilt[each]),
    }
    differing = {kind: ids for kind, ids in found.items() if ids}
    return CollectionComparison(collection, len(live), len(rebuilt), differing)
