"""The request book of one partition: what is finished, under way and parked, and how each is kept in the state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from agents.generation.asking.call_memory import CallMemory
from agents.generation.asking.calls import Call
from agents.generation.drafting.outcome import DraftOutcome
from agents.generation.kept import batch_job as batch_jobs
from agents.generation.kept import parked as parked_requests
from agents.generation.kept import under_way as requests_under_way
from agents.generation.kept.batch_job import BatchJob
from agents.generation.kept.finished import FinishedRequest, FinishedRequests
from agents.generation.kept.parked import ParkedRequest
from agents.generation.kept.under_way import UnderWay
from agents.personas.directory import AppliedPersona
from schemas.records import CostEvent

FINISHED, UNDER_WAY, PARKED, BATCH = b"f", b"c", b"p", b"b"  # first byte of a state key
Change = tuple[bytes, bytes | None]


@dataclass(slots=True)
class RequestWork:
    """A request whose drafts are being written: the offsets that wait for it, and what came of its drafts by now.

    `offset` is where it stood in its partition first; `offsets` is empty for a parked one, which no offset waits for.
    """

    offset: int
    applied: AppliedPersona
    drafts: int
    begun_at: datetime
    offsets: list[int] = field(default_factory=list)
    outcomes: dict[int, DraftOutcome] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Tell whether every draft has come to something."""
        return len(self.outcomes) == self.drafts

    def finished(self) -> FinishedRequest:
        """Return all that came of it, in the order of its drafts."""
        outcomes = [self.outcomes[number] for number in sorted(self.outcomes)]
        return FinishedRequest(
            offset=self.offset,
            drafts=tuple(each.draft for each in outcomes if each.draft is not None),
            costs=tuple(cost for each in outcomes for cost in each.costs),
            faults=tuple(each.fault for each in outcomes if each.fault is not None),
            savings=tuple(saving for each in outcomes for saving in each.savings),
        )


class RequestBook:
    """The requests of one partition, by event_id.

    Methods that change what is kept return the changes of state, to be made durable at the next checkpoint.
    """

    def __init__(self, state: Iterable[tuple[bytes, bytes]], memory: CallMemory) -> None:
        finished: list[tuple[bytes, bytes]] = []
        self._memory = memory
        self._work: dict[str, RequestWork] = {}
        self._open: dict[int, str] = {}  # offset to request, in ascending order
        self._begun: dict[str, UnderWay] = {}  # kept in the state
        self._parked: dict[str, ParkedRequest] = {}
        self._jobs: dict[str, BatchJob] = {}
        self._told: list[str] = []  # parked requests that the flush before told: durable when the next one begins
        for key, value in state:
            kind, rest = key[:1], key[1:]
            if kind == FINISHED:
                finished.append((rest, value))
            elif kind == UNDER_WAY:
                self._take_over(rest.decode(), requests_under_way.decoded(value))
            elif kind == BATCH:
                self._jobs[rest.decode()] = batch_jobs.decoded(value)
            else:
                self._parked[rest.decode()] = parked_requests.decoded(value)
        self._finished = FinishedRequests(finished)
        self._ended = [each for each in self._parked if self._finished.find(each) is not None]

    def _take_over(self, request_id: str, begun: UnderWay) -> None:
        self._begun[request_id] = begun
        self._memory.restore(request_id, begun.calls)

    def finished(self, request_id: str) -> FinishedRequest | None:
        """Return what came of a request; None while it is not finished, or unknown."""
        return self._finished.find(request_id)

    def work(self, request_id: str) -> RequestWork | None:
        """Return the work on a request; None where there is none."""
        return self._work.get(request_id)

    def begun_with(self, request_id: str) -> AppliedPersona | None:
        """Return the persona that an earlier worker began the request with; None where no call of it was finished."""
        begun = self._begun.get(request_id)
        return begun.applied if begun else None

    def begin(self, request_id: str, work: RequestWork) -> None:
        """Note that the drafts of a request are being written."""
        self._work[request_id] = work
        for offset in work.offsets:
            self._open[offset] = request_id

    def join(self, request_id: str, offset: int) -> None:
        """Let another record of the same request wait for the work on it."""
        self._work[request_id].offsets.append(offset)
        self._open[offset] = request_id

    def unfinished(self) -> int | None:
        """Return the oldest offset that waits for its request; None where none does."""
        return next(iter(self._open), None)

    def oldest(self) -> datetime | None:
        """Return when the request was begun that has been under way longest; None where none is."""
        return min((work.begun_at for work in self._work.values()), default=None)

    def calls_to_keep(self, request_id: str) -> list[Change]:
        """Return the state of a request with calls that are not kept yet; nothing where it is finished."""
        work = self._work.get(request_id)
        if work is None:
            return []
        calls: dict[str, Call] = dict(self._memory.of(request_id))
        begun = UnderWay(work.applied.version, work.applied.persona.definition(), calls)
        self._begun[request_id] = begun
        return [(UNDER_WAY + request_id.encode(), begun.encode())]

    def finish(self, request_id: str) -> tuple[FinishedRequest, list[Change]]:
        """Take a request as finished; return what came of it."""
        work = self._work.pop(request_id)
        for offset in work.offsets:
            del self._open[offset]
        finished = work.finished()
        changes = [(FINISHED + key, value) for key, value in self._finished.remember(request_id, finished)]
        if self._begun.pop(request_id, None) is not None:
            changes.append((UNDER_WAY + request_id.encode(), None))
        if request_id in self._parked:
            self._ended.append(request_id)
        self._memory.forget(request_id)
        return finished, changes

    def give_up(self, parked: ParkedRequest, fault: str, costs: tuple[CostEvent, ...] = ()) -> list[Change]:
        """Take a parked request as finished without a draft."""
        request_id = parked.request.event_id
        finished = FinishedRequest(parked.offset, (), costs, (fault,))
        self._ended.append(request_id)
        return [(FINISHED + key, value) for key, value in self._finished.remember(request_id, finished)]

    def park(self, parked: ParkedRequest) -> list[Change]:
        """Park a request, or park it anew."""
        request_id = parked.request.event_id
        self._parked[request_id] = parked
        return [(PARKED + request_id.encode(), parked.encode())]

    @property
    def ended(self) -> Sequence[str]:
        """Return the parked requests that came to an end since the last flush.

        At a restore these are those that ended before it: nobody knows whether what came of them was told.
        """
        return tuple(self._ended)

    @property
    def has_ended(self) -> bool:
        """Tell whether a parked request has ended and is still kept."""
        return bool(self._ended or self._told)

    def flushed(self) -> list[Change]:
        """Note that a flush begins; return the changes that let go of the parked requests told by the flush before.

        No offset waits for a parked request: it is kept until what came of it is durable, so that a crash in between
        tells it again.
        """
        told, self._told, self._ended = self._told, self._ended, []
        for request_id in told:
            del self._parked[request_id]
        return [(PARKED + request_id.encode(), None) for request_id in told]

    def parked_request(self, request_id: str) -> ParkedRequest:
        """Return a parked request."""
        return self._parked[request_id]

    def is_parked(self, request_id: str) -> bool:
        """Tell whether a request is parked, or was and is under way now."""
        return request_id in self._parked

    def due(self, now: datetime) -> list[ParkedRequest]:
        """Return the parked requests that may go on: those whose time has come, and those whose batch has answered."""
        return [each for each in self._waiting() if (self._is_answered(each) if each.for_batch else each.until <= now)]

    def _is_answered(self, parked: ParkedRequest) -> bool:
        return parked.request.event_id in self._begun

    def _waiting(self) -> list[ParkedRequest]:
        return [
            each
            for request_id, each in self._parked.items()
            if request_id not in self._work and self._finished.find(request_id) is None
        ]

    @property
    def parked_count(self) -> int:
        """Return how many requests are parked, for their budget or for a batch."""
        return len(self._waiting())

    def without_batch(self) -> list[ParkedRequest]:
        """Return the requests that wait for a batch and are in none yet, in the order in which they came."""
        in_jobs = {request_id for job in self._jobs.values() for request_id in job.request_ids}
        return [
            each
            for each in self._waiting()
            if each.for_batch and each.request.event_id not in in_jobs and not self._is_answered(each)
        ]

    def in_batch(self, job: BatchJob) -> list[ParkedRequest]:
        """Return the requests of a job that still wait for it."""
        waiting = {each.request.event_id: each for each in self._waiting()}
        return [waiting[request_id] for request_id in job.request_ids if request_id in waiting]

    @property
    def has_batches(self) -> bool:
        """Tell whether a request waits for a batch, or a batch has not ended."""
        return bool(self._jobs) or any(each.for_batch for each in self._parked.values())

    def jobs(self) -> list[BatchJob]:
        """Return the batch jobs that have not ended."""
        return list(self._jobs.values())

    def keep_job(self, job: BatchJob) -> list[Change]:
        """Keep a batch job, or what became known of it."""
        self._jobs[job.key] = job
        return [(BATCH + job.key.encode(), job.encode())]

    def end_job(self, job: BatchJob) -> list[Change]:
        """Forget a batch job: its requests are under way, or wait for another."""
        del self._jobs[job.key]
        return [(BATCH + job.key.encode(), None)]

    def forget(self) -> None:
        """Forget the calls of all requests under way: the partition goes."""
        for request_id in [*self._work, *self._begun]:
            self._memory.forget(request_id)
