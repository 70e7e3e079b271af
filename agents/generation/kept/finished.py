"""Finished requests: what each came to, kept so that one that comes again gets the very same records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import TypeAdapter

from schemas.records import CostEvent, CostSaving, DraftGenerated

MAX_FINISHED = 10_000
"""Requests remembered for each partition; one that comes again later than that is written anew, with the same ids."""


@dataclass(frozen=True, slots=True)
class FinishedRequest:
    """All that came of a request: drafts, what was paid and spared, and the faults of drafts that could not be written.

    `offset` is where the request stood in its partition when it was first written.
    """

    offset: int
    drafts: tuple[DraftGenerated, ...]
    costs: tuple[CostEvent, ...]
    faults: tuple[str, ...] = ()
    savings: tuple[CostSaving, ...] = ()

    def encode(self) -> bytes:
        """Return it as bytes of the state's changelog."""
        return _ADAPTER.dump_json(self)


_ADAPTER = TypeAdapter(FinishedRequest)


def decoded(value: bytes) -> FinishedRequest:
    """Return what `encode` wrote."""
    return _ADAPTER.validate_json(value)


class FinishedRequests:
    """The finished requests of one partition by event_id, the newest `limit` of them."""

    def __init__(self, restored: Iterable[tuple[bytes, bytes]] = (), *, limit: int = MAX_FINISHED) -> None:
        self._limit = limit
        known = ((key.decode(), decoded(value)) for key, value in restored)
        self._known = dict(sorted(known, key=lambda item: item[1].offset))

    def find(self, request_id: str) -> FinishedRequest | None:
        """Return what came of a request; None when it is unknown."""
        return self._known.get(request_id)

    def remember(self, request_id: str, finished: FinishedRequest) -> list[tuple[bytes, bytes | None]]:
        """Remember a request; return the changes of state, tombstones of the oldest included."""
        self._known[request_id] = finished
        changes: list[tuple[bytes, bytes | None]] = [(request_id.encode(), finished.encode())]
        while len(self._known) > self._limit:
            oldest = next(iter(self._known))
            del self._known[oldest]
            changes.append((oldest.encode(), None))
        return changes
