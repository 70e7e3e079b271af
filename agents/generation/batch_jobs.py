"""Batch jobs: bring requests that can wait through the provider's batch API, once each, at its lower price."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from agents.generation.admission import Admission
from agents.generation.asking.chat_writer import line_of
from agents.generation.asking.writer import ModelTiers
from agents.generation.kept.entries import BatchJob, ParkedRequest, job_of
from agents.generation.partition_work import PartitionWork
from agents.llm.answers.reply import Reply
from agents.llm.batches import BatchClient, BatchLine, BatchMissing
from agents.llm.faults.faults import NoAnswer
from streams.errors import RecordFault, ThreadsError, Unavailable

logger = logging.getLogger(__name__)

MOST_UNREAD = 10  # looks at a batch, after which it is given up
JOB = "threads_job"  # the name of a job's key in the metadata of its batch


@dataclass(frozen=True, slots=True)
class BatchTerms:
    """A batch is made of `size` requests, or of fewer when the first has waited as long as it may."""

    size: int
    instruction_tokens: int


class BatchJobs:
    """Make, submit and end the batch jobs of partitions.

    A job is submitted only when it is durable, and a batch of its key is looked for before: so a crash at any moment
    submits it once. `flushed` tells of checkpoints.
    """

    def __init__(
        self,
        client: BatchClient,
        tiers: ModelTiers,
        admission: Admission,
        terms: BatchTerms,
        clock: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._tiers = tiers
        self._admission = admission
        self._terms = terms
        self._clock = clock
        self._noted: set[str] = set()
        self._taken: set[str] = set()
        self._in_memory: set[str] = set()
        self._unread: Counter[str] = Counter()  # by the key of the job

    @property
    def waits_for_checkpoint(self) -> bool:
        """Tell whether a job is not known to be durable yet."""
        return bool(self._in_memory)

    def flushed(self) -> None:
        """Note that a flush begins: what the flush before it took is durable by now."""
        self._in_memory -= self._taken
        self._taken, self._noted = self._noted, set()

    async def advance(self, part: PartitionWork) -> None:
        """Take every job of a partition one step further; a provider that is away is asked again the next time."""
        self._form(part)
        for job in part.batches.jobs():
            try:
                if job.batch_id is not None:
                    await self._look(part, job, job.batch_id)
                elif job.key not in self._in_memory:
                    await self._submit(part, job)
            except NoAnswer as unread:
                self._pass_over(part, job, unread)
            except Unavailable as error:
                logger.warning("Batch job %s waits: %s", job.key, error)
            except (BatchMissing, RecordFault) as error:
                logger.warning("Batch job %s is given up, its requests are asked one by one: %s", job.key, error)
                self._end(part, job, {})

    def _pass_over(self, part: PartitionWork, job: BatchJob, unread: NoAnswer) -> None:
        """Give a batch up whose answers could not be read several times; it may be paid for, nobody knows how much."""
        self._unread[job.key] += 1
        logger.warning("Batch job %s can't be read (%d times): %s", job.key, self._unread[job.key], unread)
        if self._unread[job.key] >= MOST_UNREAD:
            answered = dict.fromkeys(job.request_ids, unread.reply) if job.batch_id else {}
            self._end(part, job, answered)

    def _form(self, part: PartitionWork) -> None:
        for model, waiting in self._by_model(part).items():
            rest = waiting
            while rest and (len(rest) >= self._terms.size or rest[0].until <= self._clock()):
                some, rest = rest[: self._terms.size], rest[self._terms.size :]
                job = job_of(model, tuple(each.request.event_id for each in some))
                self._noted.add(job.key)
                self._in_memory.add(job.key)
                part.batches.keep(job)

    def _by_model(self, part: PartitionWork) -> dict[str, list[ParkedRequest]]:
        """Return what waits for a batch by the model that is to write it; a batch is of one model."""
        found: dict[str, list[ParkedRequest]] = {}
        for parked in part.batches.without_job():
            try:
                first = self._admission.assignments(parked.request, parked.choices)[0]
            except RecordFault:  # it can't be written any more, and is told so as it goes on
                part.go_on(parked)
            else:
                found.setdefault(self._tiers.models_for("hook", first)[0], []).append(parked)
        return found

    async def _submit(self, part: PartitionWork, job: BatchJob) -> None:
        batch_id = await self._client.find({JOB: job.key})
        if batch_id is None:
            lines = self._lines(part, job)
            if not lines:
                self._end(part, job, {})
                return
            batch_id = await self._client.submit(lines, {JOB: job.key})
        part.batches.keep(replace(job, batch_id=batch_id))

    def _lines(self, part: PartitionWork, job: BatchJob) -> list[BatchLine]:
        lines = []
        for parked in part.batches.requests_of(job):
            try:
                assignments = self._admission.assignments(parked.request, parked.choices)
            except RecordFault as fault:  # it goes on without an answer when the batch ends, and says so then
                logger.warning("Request %s is left out of its batch: %s", parked.request.event_id, fault)
            else:
                lines.append(line_of(assignments, job.model, self._terms.instruction_tokens))
        return lines

    async def _look(self, part: PartitionWork, job: BatchJob, batch_id: str) -> None:
        state = await self._client.state(batch_id)
        if not state.ended:
            return
        results = await self._client.results(batch_id)
        replies = {each: _reply_in(found) for each, found in results.items()}
        self._end(part, job, {each: reply for each, reply in replies.items() if reply is not None})

    def _end(self, part: PartitionWork, job: BatchJob, replies: Mapping[str, Reply]) -> None:
        for parked in part.batches.requests_of(job):
            reply = replies.get(parked.request.event_id)
            part.go_on(parked, reply and replace(reply, model=reply.model or job.model))
        self._unread.pop(job.key, None)
        part.batches.end(job)


def _reply_in(found: Reply | ThreadsError) -> Reply | None:
    """Return what a line came to, if only an answer without anything in it: it is paid for."""
    if isinstance(found, NoAnswer):
        return found.reply
    return found if isinstance(found, Reply) else None
