"""Entries: what the state keeps of requests and batches, four kinds, and their one form in the changelog."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from pydantic import TypeAdapter

from agents.generation.asking.calls import Call
from agents.personas.directory import AppliedPersona
from agents.personas.persona import Persona
from schemas.records import CostEvent, CostSaving, DraftGenerated, HookChoice, PersonaRequest
from streams.engine.batch import TopicPartition
from streams.engine.dead_letters import dead_letter
from streams.engine.stage import Change, Output
from streams.errors import RecordFault
from streams.identity import derived_id

E = TypeVar("E")
CONSUMER = "generation"  # as the role's dead letters name it


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

    def outputs(self) -> list[Output]:
        """Return the records that it is emitted as."""
        return [
            *(Output("drafts.generated", draft) for draft in self.drafts),
            *(Output("cost.events", cost) for cost in self.costs),
            *(Output("cost.savings", saving) for saving in self.savings),
        ]

    def fault(self) -> RecordFault | None:
        """Return why it goes to dead.letters; None where every draft was written."""
        if not self.faults:
            return None
        written, missing = len(self.drafts), "; ".join(self.faults)
        return RecordFault(f"{written} drafts were written and sent on, {len(self.faults)} could not be: {missing}")


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A request that was begun: the version and definition of its persona, and its finished calls by id.

    They are kept so that a crash repeats no call, and asks as no other persona and in no other hook style.
    """

    persona_version: str
    definition: str
    calls: dict[str, Call]
    choices: tuple[HookChoice | None, ...] = ()

    @property
    def applied(self) -> AppliedPersona:
        """Return the persona that the request began with, whatever is in force by now."""
        return AppliedPersona(Persona.model_validate_json(self.definition), self.persona_version)


@dataclass(frozen=True, slots=True)
class _ParkedRecord:
    """A parked request as the record it was, without its bytes."""

    offset: int
    timestamp: int
    key: bytes | None = None
    value: bytes | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()


@dataclass(frozen=True, slots=True)
class ParkedRequest:
    """A request that may go on at `until`, and why it waits; `offset` is where it stood in its partition.

    It is kept so that no offset waits with it. `for_batch` says that it waits for the provider's batch API: it goes on
    when its batch has ended.
    """

    request: PersonaRequest
    offset: int
    until: datetime
    reason: str
    for_batch: bool = False
    choices: tuple[HookChoice | None, ...] = ()

    def letter(self, source: TopicPartition, fault: RecordFault, now: datetime) -> Output:
        """Return its dead letter, without its bytes: its offset is committed, so these are in its topic alone."""
        record = _ParkedRecord(self.offset, int(self.request.occurred_at.timestamp() * 1000))
        return dead_letter(CONSUMER, source, record, fault, now=now, max_bytes=0)


@dataclass(frozen=True, slots=True)
class BatchJob:
    """Requests that go through the provider's batch API together, all for one model.

    `batch_id` is the provider's; None until it is known that the batch was submitted.
    The job is kept before it is submitted, under a key that is part of the batch's metadata: after a crash in between
    the batch is found again instead of being submitted, and paid, twice.
    """

    key: str
    model: str
    request_ids: tuple[str, ...]
    batch_id: str | None = None


def job_of(model: str, request_ids: tuple[str, ...]) -> BatchJob:
    """Return the job of some requests; its key follows from them."""
    return BatchJob(derived_id("batch", model, *sorted(request_ids)), model, request_ids)


class EntryKind(Generic[E]):
    """One kind of entries: `mark` is the first byte of their state keys, the id of what they are about the rest."""

    def __init__(self, mark: bytes, form: type[E]) -> None:
        self._mark = mark
        self._adapter = TypeAdapter(form)

    def kept(self, about: str, entry: E) -> Change:
        """Return the change of state that keeps an entry."""
        return self._mark + about.encode(), self._adapter.dump_json(entry)

    def dropped(self, about: str) -> Change:
        """Return the change of state that forgets an entry."""
        return self._mark + about.encode(), None

    def restored(self, state: Iterable[tuple[bytes, bytes]]) -> dict[str, E]:
        """Return the entries of this kind in a state, by what they are about."""
        return {key[1:].decode(): self._adapter.validate_json(value) for key, value in state if key[:1] == self._mark}


FINISHED = EntryKind(b"f", FinishedRequest)
UNDER_WAY = EntryKind(b"c", UnderWay)
PARKED = EntryKind(b"p", ParkedRequest)
BATCHES = EntryKind(b"b", BatchJob)


def owner_of(key: bytes, value: bytes) -> str | None:
    """Return the persona of what an entry is about; None for a batch, and for a request that came to no draft or call.

    Such entries hold ids alone.
    """
    entry, mark = json.loads(value), key[:1]
    if mark == b"c":
        return str(json.loads(entry["definition"])["persona_id"])
    if mark == b"p":
        return str(entry["request"]["persona_id"])
    told = [*entry.get("drafts", ()), *entry.get("costs", ()), *entry.get("savings", ())]
    return str(told[0]["persona_id"]) if told else None
