"""Parked requests: what has to wait for its budget or a batch, kept in the state so that no offset waits with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter

from schemas.records import PersonaRequest


@dataclass(frozen=True, slots=True)
class ParkedRequest:
    """A request that may go on at `until`, and why it waits; `offset` is where it stood in its partition.

    `for_batch` says that it waits for the provider's batch API: it goes on when its batch has ended.
    """

    request: PersonaRequest
    offset: int
    until: datetime
    reason: str
    for_batch: bool = False

    def encode(self) -> bytes:
        """Return it as bytes of the state's changelog."""
        return _ADAPTER.dump_json(self)


_ADAPTER = TypeAdapter(ParkedRequest)


def decoded(value: bytes) -> ParkedRequest:
    """Return what `encode` wrote."""
    return _ADAPTER.validate_json(value)
